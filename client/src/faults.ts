/** Errors of a conversation that the client finds itself. */
import {
  type ErrorBody,
  OPSET,
  PROTOCOL_VERSION,
  TracewireError,
  toErrorBody,
  type Welcome,
} from '@tracewire/protocol/wire';

/** The server refused something; it may have found several errors, and the first stands for them. */
export class RefusedError extends TracewireError {
  readonly errors: readonly ErrorBody[];

  constructor(errors: readonly ErrorBody[]) {
    super(errors[0] ?? { code: 'internal', message: 'The server refused and did not say why.' });
    this.errors = errors;
  }
}

export function refusal(errors: readonly ErrorBody[]): RefusedError {
  return new RefusedError(errors);
}

export function noWelcome(address: string, milliseconds: number): TracewireError {
  const message = `${address} took the connection but sent no welcome within ${milliseconds / 1000} s. Is it a Tracewire server?`;
  return new TracewireError({ code: 'unreachable', message });
}

/** Undefined where the server's versions are this client's. */
export function versionFault({ protocol, opset }: Welcome): TracewireError | undefined {
  if (protocol === PROTOCOL_VERSION && opset === OPSET) return undefined;
  const message = `The server speaks protocol ${protocol} with operator set ${opset}; this client, ${PROTOCOL_VERSION} with ${OPSET}.`;
  return new TracewireError({ code: 'unsupported_version', message });
}

export function connectionLost(address: string, code: number, reason: string): TracewireError {
  const why = reason === '' ? `code ${code}` : `code ${code}: ${reason}`;
  return new TracewireError({
    code: 'connection_lost',
    message: `The connection to ${address} was lost (${why}).`,
  });
}

/** Why a connection that closed with that code is of no more use. */
export function connectionEnded(address: string, code: number, reason: string): TracewireError {
  return code === 4401 ? unauthorized(address, true, reason) : connectionLost(address, code, reason);
}

/** The server wants a key, or another one than was `given`. */
export function unauthorized(address: string, given: boolean, said: string): TracewireError {
  const advice = given
    ? 'Ask whoever runs the server for another key.'
    : 'Give one as new LanguageModel(name, { url, key }), or in Node as the environment variable TRACEWIRE_KEY.';
  const what = given ? 'does not take this key' : 'wants a key';
  return new TracewireError({ code: 'unauthorized', message: `${address} ${what} (${said}). ${advice}` });
}

/** The connection was lost, and could not be had again. */
export function notRegained({ message: lost }: TracewireError, thrown: unknown): TracewireError {
  const cause = toErrorBody(thrown);
  const message = `${lost} It could not be made again: ${cause.message}`;
  return new TracewireError({ code: 'connection_lost', message, cause }, { cause: thrown });
}

/** A server that was started anew has nothing of what ran before. */
export function newEpoch(address: string, hasRuns: boolean): TracewireError {
  const message = `The server at ${address} was started anew while the connection was lost.`;
  return new TracewireError({ code: hasRuns ? 'run_lost' : 'connection_lost', message });
}

export function tooLarge(bytes: number, most: number): TracewireError {
  const message = `The message has ${bytes} bytes; the server takes at most ${most}. Most of it is literals: send less at a time, or make the data on the server, from m.parameter(…) and operators.`;
  const facts = { wanted: `at most ${most}`, got: String(bytes) };
  return new TracewireError({ code: 'message_too_large', message, ...facts });
}
