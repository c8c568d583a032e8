/** Starts the client program once a case, plays the scripted server to it, and judges bytes, lines and exit. */
import { brief, Mismatch, NotApplicable, within } from '../mismatch.ts';
import { beginResult, type CaseResult } from '../results.ts';
import { listenForScripts } from '../websocket.ts';
import type { ClientCase, Prints } from './case.ts';
import { CLIENT_CASES } from './cases.ts';
import { type ProgramEnd, runProgram } from './program.ts';
import { ScriptedBlobs } from './scripted-blobs.ts';
import { ScriptedConnection } from './scripted-connection.ts';
import type { ScriptedRun } from './scripted-run.ts';

export { CLIENT_CASES };

export interface ClientRunnerOptions {
  /** Run by a shell, once a case. */
  readonly command: string;
  readonly cases: readonly ClientCase[];
  /** For one start of the program, all in all. */
  readonly timeoutMs: number;
  /** How many programs run at a time. */
  readonly atOnce?: number;
  readonly told?: (result: CaseResult) => void;
}

const AT_ONCE = 4;

export async function runClientCases(options: ClientRunnerOptions): Promise<readonly CaseResult[]> {
  const results = new Map<string, CaseResult>();
  const waiting = [...options.cases];
  const work = async (): Promise<void> => {
    for (let one = waiting.shift(); one; one = waiting.shift()) {
      const result = await runClientCase(one, options);
      results.set(one.id, result);
      options.told?.(result);
    }
  };
  await Promise.all(Array.from({ length: options.atOnce ?? AT_ONCE }, work));
  return options.cases.flatMap(({ id }) => results.get(id) ?? []);
}

async function runClientCase(
  one: ClientCase,
  { command, timeoutMs }: ClientRunnerOptions,
): Promise<CaseResult> {
  const result = beginResult(one);
  const connections: ScriptedConnection[] = [];
  const shared = { runs: [] as ScriptedRun[], blobs: new ScriptedBlobs() };
  const script = one.script ?? {};
  const server = await listenForScripts((socket) => {
    connections.push(new ScriptedConnection(socket, script, shared, connections.length));
  }, script);
  try {
    const env = { TRACEWIRE_URL: server.url, TRACEWIRE_SCENARIO: one.trace };
    const end = await runProgram(command, env, timeoutMs + (one.milliseconds ?? 0));
    await judge(one, end, connections);
    return result({ verdict: 'passed' });
  } catch (error) {
    if (error instanceof NotApplicable) return result({ verdict: 'skipped', reason: error.message });
    if (error instanceof Mismatch) return result({ verdict: 'failed', wanted: error.wanted, got: error.got });
    throw error;
  } finally {
    await server.close();
  }
}

/** Throws the first thing that is wrong. */
async function judge(
  one: ClientCase,
  end: ProgramEnd,
  connections: readonly ScriptedConnection[],
): Promise<void> {
  const [first] = connections;
  if (!first && !one.script?.refuses) throw new Mismatch('a connection', `none; ${complaint(end)}`);
  const missing = [one.profile ?? []].flat().find((profile) => !first?.announced.includes(profile));
  if (missing) throw new NotApplicable(`the client doesn’t announce ${missing}`);
  if (one.describes && !first?.described)
    throw new NotApplicable('the client doesn’t ask for the description');
  if (end.code !== 0) throw new Mismatch('a program that ends with 0', complaint(end));
  // What it sent before it ended may still be on its way.
  for (const { closed } of connections)
    await within(closed, 2000, () => 'a connection that ends with the program');
  const faults = [...connections.flatMap((connection) => connection.faults), ...unacked(one, first)];
  if (faults.length > 0) throw new Mismatch('a client that keeps to the page', faults.join('; '));
  const text = connections.some(({ socket }) => socket.wire.textCame());
  if (text) throw new Mismatch('binary frames only', 'a text frame');
  for (const { broken } of connections) {
    if (broken instanceof Mismatch) throw broken;
    if (broken) throw new Mismatch(one.shows, broken instanceof Error ? broken.message : String(broken));
  }
  mustPrint(one.prints, end);
  await mustClose(one, connections);
  const fault = one.judge?.(connections);
  if (fault !== undefined) throw new Mismatch(one.shows, fault);
}

/** The terminal status is acknowledged before anything else is done with it, a close included. */
function unacked({ closes }: ClientCase, first: ScriptedConnection | undefined): readonly string[] {
  const runs = closes ? [] : (first?.runs ?? []);
  return runs
    .filter(({ ended, acked, seq }) => ended && acked < seq)
    .map(({ acked, seq }) => `it acknowledged ${acked} of a run that ended with ${seq}`);
}

function mustPrint(prints: Prints, { lines }: ProgramEnd): void {
  if ('anything' in prints) return;
  if ('anyError' in prints) {
    const isError = (line: unknown): boolean => typeof line === 'object' && line !== null && 'error' in line;
    if (!lines.some(isError)) throw new Mismatch('a line with an error', brief(lines));
    return;
  }
  const sorted = (list: readonly unknown[]): string[] => list.map(canonical).toSorted();
  const [wanted, got] = [sorted(prints.lines), sorted(lines)];
  if (wanted.join('\n') !== got.join('\n'))
    throw new Mismatch(`the lines ${wanted.join(' ')}`, got.join(' ') || 'none');
}

async function mustClose({ closes }: ClientCase, connections: readonly ScriptedConnection[]): Promise<void> {
  const last = connections.at(-1);
  if (!closes || !last) return;
  const { code } = await within(last.closed, 2000, () => `a close with ${closes.join(' or ')}`);
  if (!closes.includes(code)) throw new Mismatch(`a close with ${closes.join(' or ')}`, String(code));
}

/** Keys in order, so that lines compare as data. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([left], [right]) => (left < right ? -1 : 1)))
      : inner,
  );
}

function complaint({ code, stderr }: ProgramEnd): string {
  return `${code === null ? 'it had to be killed' : `it ended with ${code}`}${stderr ? `: ${stderr.trim()}` : ''}`;
}
