/** What one case for a client is, and the short forms in which the tables of `cases/` are written. */
import type { ErrorCode, Limits } from '@tracewire/protocol';
import type { Profile } from '../requirements.ts';
import { tensorOf } from '../tensors.ts';
import { printed, valueOfModule } from './fixture.ts';
import type { Script, ScriptedConnection } from './scripted-connection.ts';
import type { ScriptedRun } from './scripted-run.ts';

/** The traces that a client program must know (docs/CONFORMANCE.md). */
export type TraceName =
  | 'tutorial'
  | 'one'
  | 'tuple'
  | 'constants'
  | 'log'
  | 'function'
  | 'session'
  | 'generation';

/** What the program must print: these lines in any order; or some error, whatever its code. */
export type Prints =
  | { readonly lines: readonly object[] }
  | { readonly anyError: true }
  | { readonly anything: true };

/** A look at the conversations when the program has ended; gives what is wrong. */
export type Judge = (connections: readonly ScriptedConnection[]) => string | undefined;

type Announced = Exclude<Profile, 'core' | 'keys'>;

export interface ClientCase {
  readonly id: string;
  readonly requirements: readonly string[];
  readonly shows: string;
  readonly trace: TraceName;
  readonly prints: Prints;
  readonly script?: Script;
  /** How the client must close the (last) connection; without it any way will do. */
  readonly closes?: readonly number[];
  /** Needs a client whose hello announces it, or all of them. */
  readonly profile?: Announced | readonly Announced[];
  /** Needs a client that asks for the model's description. */
  readonly describes?: true;
  readonly judge?: Judge;
  /** What the case takes beyond what others do. */
  readonly milliseconds?: number;
}

const H0 = { save: 'h.0', ...printed(valueOfModule('h.0')) };
export const TUTORIAL: Prints = { lines: [H0, { save: 'h.1', error: 'not_reached' }] };
export const ONE: Prints = { lines: [H0] };
export const TUPLE: Prints = { lines: [{ save: 'mix', ...printed(valueOfModule('mix')) }] };
export const CONSTANTS: Prints = {
  lines: [
    { save: 'a', ...printed(tensorOf('uint8', [3], [1, 2, 3])) },
    { save: 'b', ...printed(tensorOf('float64', [], [0.5])) },
    { save: 'c', ...printed(tensorOf('float32', [0], [])) },
  ],
};
export const anError = (code: ErrorCode): Prints => ({ lines: [{ error: code }] });
export const ANY_ERROR: Prints = { anyError: true };

/** An error as the scripted server says it. */
export function error(code: string): { readonly code: string; readonly message: string } {
  return { code, message: `The conformance suite says ${code}.` };
}

type Breach = (run: ScriptedRun, connection: ScriptedConnection) => Promise<void> | void;

/** The server does nothing wrong, but its run takes a turn of its own. */
export function turn(
  id: string,
  requirements: readonly string[],
  shows: string,
  prints: Prints,
  run: Breach,
  over: Partial<ClientCase> = {},
): ClientCase {
  return { id: `client-${id}`, requirements, shows, trace: 'one', prints, script: { run }, ...over };
}

/** The server breaks the page: the client closes with 4400, sends no `error`, and reports a violation. */
export function broken(
  id: string,
  requirement: string,
  shows: string,
  breach: Breach,
  over: Partial<ClientCase> = {},
): ClientCase {
  return {
    id: `client-broken-${id}`,
    requirements: ['R-054', 'R-283', requirement],
    shows: `${shows} is a breach: it closes with 4400 and reports protocol_violation`,
    trace: 'one',
    prints: anError('protocol_violation'),
    closes: [4400],
    script: { run: breach },
    ...over,
  };
}

/** The run has begun as it should; then the breach. */
export function amid(id: string, requirement: string, shows: string, breach: Breach): ClientCase {
  return broken(id, requirement, shows, (run, connection) => {
    run.begin();
    return breach(run, connection);
  });
}

/** What all cases of one trace share: the client must announce the profile, and so does the server, within these limits. */
interface Kind {
  readonly trace: TraceName;
  readonly profile: Announced;
  readonly limits?: Partial<Limits>;
}

/** Makes the cases in which the server does nothing wrong; `id` is behind the trace's name. */
export const rightOf =
  ({ trace, profile, limits }: Kind) =>
  (
    id: string,
    requirements: readonly string[],
    shows: string,
    prints: Prints,
    script: Script,
    over: Partial<ClientCase> = {},
  ): ClientCase => ({
    id: `client-${trace}${id}`,
    requirements,
    shows,
    trace,
    prints,
    profile,
    ...over,
    script: { capabilities: [profile], ...script, limits: { ...limits, ...script.limits } },
  });

/** Makes the cases of `amid`. */
export const amidOf =
  ({ trace, profile, limits = {} }: Kind) =>
  (id: string, requirement: string, shows: string, breach: Breach): ClientCase => {
    const made = amid(`${trace}-${id}`, requirement, shows, breach);
    return { ...made, trace, profile, script: { capabilities: [profile], limits, ...made.script } };
  };
