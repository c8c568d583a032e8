/** What the server did against the protocol: nothing it says can be trusted then, so the connection ends. */
import { TracewireError } from '@tracewire/protocol/core';

export function violation(what: string): TracewireError {
  return new TracewireError({
    code: 'protocol_violation',
    message: `The server broke the protocol: ${what}.`,
  });
}

/** What reading a server's message failed with: what is wrong with the message is the server's breach. */
export function toViolation(thrown: unknown): TracewireError {
  if (thrown instanceof TracewireError && !DECODING.includes(thrown.code)) return thrown;
  const what = thrown instanceof Error ? thrown.message : String(thrown);
  return violation(what.replace(/\.$/, ''));
}

const DECODING: readonly string[] = ['bad_frame', 'bad_message', 'unknown_message'];
