/** Runs the cases against a server, one after the other; each has conversations of its own, closed at its end. */
import { TracewireError, type Welcome } from '@tracewire/protocol';
import { Notebook } from './audit.ts';
import type { CaseContext, ConformanceCase } from './cases.ts';
import { Mismatch, NotApplicable, within } from './mismatch.ts';
import { ModelFacts } from './model-facts.ts';
import { Peer } from './peer.ts';
import { offeredBy } from './plain-peer.ts';
import { beginResult, type CaseResult } from './results.ts';
import type { Target } from './wire.ts';

export interface RunnerOptions {
  readonly target: Target;
  readonly cases: readonly ConformanceCase[];
  /** One of the welcome's names; without it the first. */
  readonly model?: string | undefined;
  /** For each thing that a case waits for. */
  readonly timeoutMs: number;
  /** Hears of every result as it comes. */
  readonly told?: (result: CaseResult) => void;
}

/** A case as a whole may take so many times what one wait may. */
const CASE_FACTOR = 6;

interface Surroundings {
  readonly model: ModelFacts;
  readonly welcome: Welcome;
  readonly capabilities: ReadonlySet<string>;
  readonly wantsKey: boolean;
  readonly notes: Notebook;
}

/** Rejects when the server can't be reached or described; what a case meets is its result. */
export async function runCases(options: RunnerOptions): Promise<readonly CaseResult[]> {
  const surroundings = await lookAround(options);
  const results = new Map<string, CaseResult>();
  const run = async (one: ConformanceCase): Promise<void> => {
    const result = await runCase(one, options, surroundings);
    results.set(one.id, result);
    options.told?.(result);
  };
  const beside = options.cases.filter(({ background }) => background).map(run);
  for (const one of options.cases) if (!one.background) await run(one);
  await Promise.all(beside);
  return options.cases.flatMap(({ id }) => results.get(id) ?? []);
}

/** The welcome with all capabilities offered, and the description of the model. */
async function lookAround({ target, model, timeoutMs }: RunnerOptions): Promise<Surroundings> {
  const notes = new Notebook();
  const peer = new Peer(await target.connect(), { notes, timeoutMs, model: model ?? '' });
  try {
    const capabilities = await offeredBy(target, timeoutMs);
    await peer.hello(['resume', 'detach', 'invokes', 'batching']);
    const plain = new Peer(await target.connect(), { notes, timeoutMs, model: model ?? '' });
    const welcome = await plain.hello();
    plain.wire.close();
    const name = model ?? welcome.models[0];
    if (name === undefined) throw new Mismatch('a model', 'a welcome without models');
    peer.send({ type: 'describe', request: 1, model: name });
    const { description } = await peer.next('description');
    const wantsKey = await refusesWithoutKey(target);
    return {
      model: new ModelFacts(description),
      welcome,
      capabilities: new Set(capabilities),
      wantsKey,
      notes,
    };
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
    const message = `${target.name} could not be looked at: ${error.message}. ${[...notes.of('frame'), ...notes.of('schema')].join(' ')}`;
    throw new TracewireError({ code: 'unexpected_message', message });
  } finally {
    peer.wire.close();
  }
}

async function refusesWithoutKey({ upgrade }: Target): Promise<boolean> {
  const result = await upgrade?.({ key: '' });
  if (result && 'wire' in result) result.wire.close();
  return result !== undefined && 'status' in result;
}

async function runCase(
  one: ConformanceCase,
  { target, timeoutMs }: RunnerOptions,
  surroundings: Surroundings,
): Promise<CaseResult> {
  const { model, welcome, wantsKey, notes } = surroundings;
  const result = beginResult(one);
  const missing = inapplicable(one, target, surroundings);
  if (missing !== undefined) return result({ verdict: 'skipped', reason: missing });
  const peers: Peer[] = [];
  const dial = async (key?: string): Promise<Peer> => {
    const peer = new Peer(await target.connect(key), { notes, timeoutMs, model: model.name });
    peers.push(peer);
    return peer;
  };
  const open = async (offered: readonly string[] = [], key?: string): Promise<Peer> => {
    const peer = await dial(key);
    await peer.hello(offered);
    return peer;
  };
  const context: CaseContext = {
    target,
    model,
    welcome,
    notes,
    timeoutMs,
    wantsKey,
    open: (offered) => open(offered),
    openSilent: () => dial(),
    openOther: async (offered) => {
      if (target.otherKey === undefined) throw new NotApplicable('no --other-key was given');
      return open(offered, target.otherKey);
    },
  };
  const most = one.background ? 30_000 : timeoutMs * CASE_FACTOR;
  try {
    await within(one.run(context), most, () => 'the end of the case');
    return result({ verdict: 'passed' });
  } catch (error) {
    if (error instanceof NotApplicable) return result({ verdict: 'skipped', reason: error.message });
    if (error instanceof Mismatch) return result({ verdict: 'failed', wanted: error.wanted, got: error.got });
    const got = error instanceof Error ? error.message : String(error);
    return result({ verdict: 'failed', wanted: one.shows, got });
  } finally {
    for (const peer of peers) peer.wire.close();
  }
}

function inapplicable(
  { profile, socket }: ConformanceCase,
  target: Target,
  { capabilities, wantsKey }: Surroundings,
): string | undefined {
  if (socket && !target.upgrade) return 'there is no socket';
  if (profile === 'keys') return wantsKey ? undefined : 'the server wants no key';
  if (profile !== undefined && !capabilities.has(profile)) return `the server doesn’t announce ${profile}`;
  return undefined;
}
