/** What an error means to whoever looks at the page: what happened, and what to do about it. */
import { ERROR_CODES, type ErrorBody, type ErrorCode, TracewireError } from '@tracewire/protocol';

export interface Fault {
  readonly what: string;
  readonly advice: string;
}

/** Advice for people in front of the page, where the protocol's is for programs. */
const ADVICE: Partial<Record<ErrorCode, string>> = {
  unreachable: 'See that the server runs (tracewire serve), then try again.',
  connection_lost: 'See that the server runs (tracewire serve), then try again.',
  run_lost: 'The server was started anew. Try again.',
  unauthorized: 'Enter another key above.',
  refused_upgrade: 'Try again in a moment.',
  queue_full: 'Others’ runs come first. Try again in a moment.',
  too_many_runs: 'Cancel a run in the list of runs, or wait for one to end.',
  input_too_long: 'Shorten the prompt.',
  empty_input: 'Write a prompt.',
  no_hook: 'Look at another place, or export the model with eager attention.',
  host_lost: 'The server starts the model again by itself. Try again in a moment.',
  model_not_found: 'Whoever runs the server must mend or replace the model’s folder. Then try again.',
  model_invalid: 'Whoever runs the server must mend or replace the model’s folder. Then try again.',
  model_unsupported: 'Whoever runs the server must serve another export of the model.',
  too_much_memory: 'Use a shorter prompt.',
  deadline_exceeded: 'Use a shorter prompt, or try again when the server is less busy.',
  cancelled: 'Run it again when you like.',
  shutting_down: 'The server is going away. Try again when it is back.',
};

/** For anything that was thrown. */
export function faultOf(thrown: unknown): Fault {
  if (thrown instanceof TracewireError) {
    const { body } = thrown;
    const codes: readonly ErrorCode[] = [...codesOf(body)];
    const advice = codes.map((code) => ADVICE[code] ?? ERROR_CODES[code]?.advice).find(Boolean);
    return { what: textOf(body), advice: advice ?? 'Try again.' };
  }
  const what = thrown instanceof Error ? thrown.message : String(thrown);
  return { what, advice: 'This is a fault of the page. Reload it, and report what it says.' };
}

/** The innermost first: why a thing failed says more than that it did. */
function* codesOf({ code, cause }: ErrorBody): Generator<ErrorCode> {
  if (cause) yield* codesOf(cause);
  yield code;
}

function textOf({ message, cause }: ErrorBody): string {
  return cause && !message.includes(cause.message) ? `${message} ${textOf(cause)}` : message;
}
