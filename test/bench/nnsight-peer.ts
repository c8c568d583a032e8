/** The other side of the comparison with nnsight: a Python process that times one trace on request. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export type NnsightTrace = 'empty' | 'saves' | 'stop' | 'patch';

export interface NnsightPeer {
  /** Versions of what it runs, its threads, and the model's attention there. */
  readonly facts: Readonly<Record<string, string | number>>;
  /** Runs one trace over these ids; resolves to its milliseconds, measured in that process. */
  time(trace: NnsightTrace, ids: readonly number[]): Promise<number>;
  stop(): Promise<void>;
}

const PROGRAM = fileURLToPath(new URL('./nnsight_peer.py', import.meta.url));

/** `checkpoint` is the Hugging Face folder with the weights of the ONNX model. */
export async function startNnsight(
  python: string,
  checkpoint: string,
  threads: number,
): Promise<NnsightPeer> {
  const child = spawn(python, [PROGRAM, '--checkpoint', checkpoint, '--threads', String(threads)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(child, 'spawn');
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const answer = async <T>(): Promise<T> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${PROGRAM} ended; its stderr says why.`);
    return JSON.parse(value) as T;
  };
  return {
    facts: await answer(),
    async time(trace, ids) {
      child.stdin.write(`${JSON.stringify({ do: trace, ids })}\n`);
      return (await answer<{ ms: number }>()).ms;
    },
    async stop() {
      child.stdin.end();
      await once(child, 'close');
    },
  };
}
