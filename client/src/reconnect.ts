/** Tries to get a lost connection back: jittered exponential back-off, for as long as the server keeps the runs. */
import { type ErrorCode, TracewireError } from '@tracewire/protocol/wire';

/** What becomes of a run's connection. While it is lost, the run goes on at the server. */
export interface ConnectionEvent {
  /** `lost`, then `reconnecting` for each attempt, then `resumed`; or the trace rejects. */
  readonly state: 'lost' | 'reconnecting' | 'resumed';
  /** From 1. */
  readonly attempt?: number | undefined;
  /** With `reconnecting`: how long until the attempt. */
  readonly delayMs?: number | undefined;
}

export interface Reconnection {
  /** How long to go on trying. */
  readonly forMs: number;
  /** Ends the waiting. */
  readonly signal: AbortSignal;
  attempt(): Promise<void>;
  tell(event: ConnectionEvent): void;
}

const FIRST_MS = 100;
const LONGEST_MS = 5_000;
/** A machine that says that nobody listens there: a server that has ended, unless it is a tunnel that comes back. */
const REFUSED_MS = 3_000;
/** What another attempt may find otherwise. */
const PASSING: readonly ErrorCode[] = ['unreachable', 'connection_lost', 'shutting_down'];

/** Resolves once an attempt has. Rejects with the last attempt's error when there is no more use in trying. */
export async function reconnect({ forMs, signal, attempt, tell }: Reconnection): Promise<void> {
  const begun = performance.now();
  let most = forMs;
  const left = (): number => Math.max(0, most - (performance.now() - begun));
  for (let count = 1; ; count++) {
    const delayMs = Math.ceil(Math.min(backOff(count), left()));
    tell({ state: 'reconnecting', attempt: count, delayMs });
    await sleep(delayMs, signal);
    try {
      await attempt();
      if (!signal.aborted) tell({ state: 'resumed', attempt: count });
      return;
    } catch (error) {
      if (signal.aborted || !isPassing(error)) throw error;
      most = isRefused(error) ? Math.min(REFUSED_MS, forMs) : forMs;
      if (left() === 0) throw error;
    }
  }
}

/** From half to all of 100, 200, 400 … 5000 ms, so that a server's clients don't all come back at once. */
export function backOff(attempt: number, random = Math.random()): number {
  return Math.min(FIRST_MS * 2 ** (attempt - 1), LONGEST_MS) * (0.5 + random / 2);
}

function isPassing(error: unknown): error is TracewireError {
  if (!(error instanceof TracewireError)) return false;
  return PASSING.includes(error.code) || error.body.retryAfterMs !== undefined;
}

function isRefused({ cause }: Error & { readonly cause?: unknown }): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED';
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      if (signal.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}
