/**
 * A run's progress as one quiet line on a terminal: `queued at place 2`, `loading 40%`, `running part 7 of 12`, `receiving
 * 12 of 25 MB`. Elsewhere, in a file or a browser, it shows nothing.
 */
import type { RunStatus } from './filler.ts';
import type { RunProgress } from './run.ts';

/** What it writes to: `process.stderr`, or anything like it. */
export interface ProgressStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

/** Options of a trace: `model.trace(prompt, { ...progressLine() }, fn)`. */
export interface ProgressLine {
  readonly onStatus: (status: RunStatus) => void;
  readonly onProgress: (progress: RunProgress) => void;
  /** Leaves the terminal as it was, however the run ended. */
  readonly onEnd: () => void;
}

/** What is quicker than this is not shown. */
const QUIET_MS = 300;
/** A line is written no more often than this. */
const EVERY_MS = 80;

const ERASE = '\r\u001b[K';

/** For one run at a time. Without `stream` it is Node's stderr, where there is one. */
export function progressLine(stream: ProgressStream | undefined = stderr()): ProgressLine {
  if (stream?.isTTY !== true) {
    const nothing = (): void => undefined;
    return { onStatus: nothing, onProgress: nothing, onEnd: nothing };
  }
  const line = new Line(stream);
  return {
    onStatus: ({ state, position, waitMs }) => {
      if (state === 'queued') line.show(queued(position, waitMs));
    },
    onProgress: (progress) => line.show(describe(progress)),
    onEnd: () => line.erase(),
  };
}

class Line {
  readonly #stream: ProgressStream;
  #begun = performance.now();
  #written = Number.NEGATIVE_INFINITY;
  #shown = false;

  constructor(stream: ProgressStream) {
    this.#stream = stream;
  }

  show(text: string): void {
    const now = performance.now();
    if (now - this.#begun < QUIET_MS || now - this.#written < EVERY_MS) return;
    this.#written = now;
    this.#shown = true;
    this.#stream.write(`${ERASE}${text.slice(0, (this.#stream.columns ?? 80) - 1)}`);
  }

  /** Leaves the terminal as it was, ready for another run. */
  erase(): void {
    if (this.#shown) this.#stream.write(ERASE);
    this.#shown = false;
    this.#begun = performance.now();
  }
}

function queued(position: number | undefined, waitMs: number | undefined): string {
  const place = position === undefined ? 'queued' : `queued at place ${position + 1}`;
  return waitMs === undefined ? place : `${place}, about ${Math.ceil(waitMs / 1000)} s`;
}

function describe({ done, total, phase }: RunProgress): string {
  if (phase === 'loading') {
    return total > 0 ? `loading ${Math.floor((100 * done) / total)}%` : 'loading the model';
  }
  if (phase === 'receiving') return `receiving ${megabytes(done)} of ${megabytes(total)} MB`;
  return `running part ${done} of ${total}`;
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(bytes < 10e6 ? 1 : 0);

function stderr(): ProgressStream | undefined {
  return (globalThis as { process?: { stderr?: ProgressStream } }).process?.stderr;
}
