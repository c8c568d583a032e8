/** ONNX Runtime, noting what is computed behind the last block (../tail.ts): positions fed, and dims of what came out. */
import { POSITIONS } from '../tail.ts';
import { wrappedRuntime } from './wrapped-runtime.ts';

export interface TailRun {
  /** For each row of the batch. */
  readonly positions: readonly (readonly number[])[];
  readonly dims: Readonly<Record<string, readonly number[]>>;
}

export class WatchedRuntime {
  /** Runs of segments that take positions, until they are taken. */
  readonly #runs: TailRun[] = [];

  take(): TailRun[] {
    return this.#runs.splice(0);
  }

  readonly make = wrappedRuntime(async (run, feeds, fetches) => {
    const outputs = await run(feeds, fetches);
    const fed = feeds.get(POSITIONS);
    if (!fed) return outputs;
    const [rows = 0, count = 0] = fed.dims;
    const all = Array.from(fed.data, Number);
    this.#runs.push({
      positions: Array.from({ length: rows }, (_, row) => all.slice(row * count, (row + 1) * count)),
      dims: Object.fromEntries([...outputs].map(([name, { dims }]) => [name, dims])),
    });
    return outputs;
  });
}
