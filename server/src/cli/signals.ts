/** Ends the server on Ctrl-C or a supervisor's request: the first signal in order, the second at once. */
import type { Log } from '../gateway/log.ts';

/** What still holds the process open after `stop` is waited for no longer than this. */
const LINGER_MS = 3000;

export function onSignals(stop: () => Promise<void>, log: Log): void {
  let stopping = false;
  const handle = async (signal: NodeJS.Signals): Promise<void> => {
    if (stopping) process.exit(signal === 'SIGINT' ? 130 : 143);
    stopping = true;
    log.info({ signal }, 'stopping');
    await stop();
    process.exitCode = 0;
    setTimeout(() => process.exit(0), LINGER_MS).unref();
  };
  process.on('SIGINT', handle);
  process.on('SIGTERM', handle);
}
