/** What a trace would do, as the server plans it, without running it. */
import { TracewireError, type Welcome, type Explanation as WireExplanation } from '@tracewire/protocol';
import type { Link } from './channel.ts';
import { type LocatedError, TraceError } from './errors.ts';
import { RefusedError } from './faults.ts';
import type { CallSite } from './location.ts';
import { offload } from './offload.ts';
import type { Recorded } from './record.ts';
import type { Saved } from './saved.ts';
import type { SavedValue } from './tensor.ts';
import { located } from './trace-error.ts';

/** A saved value as it would come. */
export interface ExplainedSave {
  readonly saved: Saved<SavedValue>;
  /** Of the value; undefined where the data decides, and where there would be none. */
  readonly bytes: number | undefined;
  /** The access error that reading it would throw. */
  readonly error: LocatedError | undefined;
}

/** How a trace would run. `String(explanation)` is for reading. */
export class Explanation<T = unknown> {
  /** Of all prompts. */
  readonly tokens: number;
  readonly modulesRun: number;
  readonly modulesTotal: number;
  readonly segmentsRun: number;
  readonly segmentsTotal: number;
  /** The module after which the pass ends, if others would follow. */
  readonly stoppedAfter: string | undefined;
  /** The parts of the model that would run, each at once, with why it ends where it does. */
  readonly segments: WireExplanation['segments'];
  /** Modules that the pass comes to and doesn't run, for nothing needs them. */
  readonly idle: readonly string[];
  readonly saves: readonly ExplainedSave[];
  /** Hooks that could not fire, saves that would be too large. */
  readonly warnings: readonly LocatedError[];
  /** What the trace's function returned; its handles stay empty. */
  readonly result: T;

  /** For `model.explain`. */
  constructor(explanation: WireExplanation, { recording, result }: Recorded<T>, site: CallSite) {
    this.tokens = explanation.tokens;
    this.modulesRun = explanation.modulesRun;
    this.modulesTotal = explanation.modulesTotal;
    this.segmentsRun = explanation.segmentsRun;
    this.segmentsTotal = explanation.segmentsTotal;
    this.stoppedAfter = explanation.stoppedAfter;
    this.segments = explanation.segments;
    this.idle = explanation.idle;
    this.saves = explanation.saves.flatMap(({ save, bytes, error }) => {
      const saved = recording.saves.get(save)?.saved;
      return saved
        ? [{ saved, bytes, error: error && located(error, [recording], site, { node: save }) }]
        : [];
    });
    this.warnings = explanation.warnings.map((body) => located(body, [recording], site));
    this.result = result;
  }

  /** Expected bytes of all saved values; `exact` says whether none of them depends on the data. */
  get savedBytes(): { readonly bytes: number; readonly exact: boolean } {
    const due = this.saves.filter(({ error }) => !error);
    const bytes = due.reduce((sum, save) => sum + (save.bytes ?? 0), 0);
    return { bytes, exact: due.every((save) => save.bytes !== undefined) };
  }

  toString(): string {
    const { bytes, exact } = this.savedBytes;
    return [
      `${this.modulesRun} of ${this.modulesTotal} modules run, in ${this.segmentsRun} of ${this.segmentsTotal} segments, over ${count(this.tokens, 'token')}.`,
      this.stoppedAfter === undefined
        ? 'The pass goes to its end.'
        : `The pass stops after ${this.stoppedAfter}.`,
      ...this.segments.map((segment, index) => `  ${index + 1}. ${describeSegment(segment)}`),
      ...(this.idle.length > 0 ? [`Not run, for nothing needs it: ${this.idle.join(', ')}.`] : []),
      `${count(this.saves.length, 'saved value')}, ${exact ? '' : 'at least '}${count(bytes, 'byte')}.`,
      ...this.saves.map((save) => `  ${describeSave(save)}`),
      ...this.warnings.map(({ body }) => `Warning: ${body.message}`),
    ].join('\n');
  }
}

const ENDS = {
  block: 'to the end of a block',
  stop: 'to where the pass stops',
  end: 'to the end of the model',
};

function describeSegment({ modules, last, end, at, positions }: WireExplanation['segments'][number]): string {
  const why = end === 'write' ? `cut where ${at || 'the model'} is changed` : ENDS[end];
  const some = positions === undefined ? '' : `; behind the blocks for ${count(positions, 'position')} only`;
  return `${count(modules, 'module')}${last === undefined ? '' : `, up to ${last}`}, ${why}${some}`;
}

function describeSave({ saved, bytes, error }: ExplainedSave): string {
  if (error) return `${saved.label}: ${error.body.message}`;
  return `${saved.label}: ${bytes === undefined ? 'as many bytes as the data makes' : count(bytes, 'byte')}`;
}

const count = (many: number, what: string): string => `${many} ${what}${many === 1 ? '' : 's'}`;

/** Throws `not_offered`. */
export function mustOfferExplain({ capabilities }: Welcome): void {
  if (capabilities.includes('explain')) return;
  const message = 'The server doesn’t explain how it would run a trace. validate says whether it would.';
  throw new TracewireError({ code: 'not_offered', message, wanted: 'explain' });
}

/** Asks the server. Rejects with a `TraceError` that has all that would refuse the trace, each with its line. */
export async function explain<T>(
  { conversation, model }: Link,
  recorded: Recorded<T>,
  site: CallSite,
): Promise<Explanation<T>> {
  const { recording } = recorded;
  try {
    const explanation = await conversation.explain(
      model,
      await offload(recording, conversation, recording.payloadBytes),
    );
    return new Explanation(explanation, recorded, site);
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    const [first, ...rest] = error.errors.map((body) => located(body, [recording], site));
    throw first ? new TraceError([first, ...rest], { cause: error }) : error;
  }
}
