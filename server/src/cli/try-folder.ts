/** Whether a folder can be made and written to, found out in another process: a file system may never answer. */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TracewireError } from '@tracewire/protocol';

const PROBE = fileURLToPath(new URL('./folder-probe.js', import.meta.url));
/** Far more than a slow network drive takes. */
const MOST_MS = 10_000;

export type FolderAnswer = { readonly freeBytes: number } | { readonly refused: string };

/** Undefined where there was no answer in time. `program` answers on its standard output; tests have one of their own. */
export function tryFolder(
  folder: string,
  program = PROBE,
  mostMs = MOST_MS,
): Promise<FolderAnswer | undefined> {
  return new Promise((done) => {
    const child = spawn(process.execPath, [program, resolve(folder)], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let answer = '';
    child.stdout.on('data', (text: Buffer) => {
      answer += text.toString();
    });
    // What hangs in the kernel outlives even this, so nothing of it is waited for.
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      child.stdout.destroy();
      child.unref();
      done(undefined);
    }, mostMs);
    child.once('error', (error) => done({ refused: error.message }));
    child.once('close', () => {
      clearTimeout(timer);
      done(
        answer === ''
          ? { refused: 'the attempt ended without a word' }
          : (JSON.parse(answer) as FolderAnswer),
      );
    });
  });
}

/** Throws `bad_configuration` where the file system doesn't answer. Whoever must write there says what else is wrong. */
export async function mustAnswer(what: string, folder: string): Promise<void> {
  if (await tryFolder(folder)) return;
  throw new TracewireError({
    code: 'bad_configuration',
    message: `The file system of ${resolve(folder)} does not answer. Choose another folder with --${what}.`,
    path: resolve(folder),
  });
}
