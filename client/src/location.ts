/**
 * Where in the user's program something was written. A location is taken for every node of a trace, so taking
 * one is cheap: the stack is kept as the engine holds it and turned into text only when an error is shown.
 */

/** A line of the user's program. */
export interface SourceLocation {
  /** A path, or a URL where the program isn't a local file. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

/** What knows a line of the user's program. */
export interface Site {
  /** Undefined where nothing tells. */
  readonly location: SourceLocation | undefined;
}

/** Enough to get past this package's own frames; the usual 10 are not. */
const FRAMES = 40;

/** A stack whose first frame outside this package is looked up on demand. */
export class CallSite implements Site {
  readonly #error = capture();

  /** Undefined where the engine gives no stack, or a bundler put the program and this package in one file. */
  get location(): SourceLocation | undefined {
    for (const line of (this.#error.stack ?? '').split('\n')) {
      const frame = parseFrame(line);
      if (frame && !isInternal(frame.file)) return frame;
    }
    return undefined;
  }
}

function capture(): Error {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = FRAMES;
  const error = new Error();
  Error.stackTraceLimit = limit;
  return error;
}

/** `file:line:column`, which editors and terminals turn into a link. */
export function formatLocation({ file, line, column }: SourceLocation): string {
  return `${file}:${line}:${column}`;
}

/** Reads `at f (file:1:2)`, not `at async f (…)`, and `at file:1:2` (V8), and `f@file:1:2` (Firefox, Safari). */
function parseFrame(text: string): SourceLocation | undefined {
  // Whoever awaits is another line than the one that is to blame.
  if (/^\s*at async /.test(text)) return undefined;
  const bare = text.trim().replace(/^at /, '');
  const inner = bare.endsWith(')')
    ? bare.slice(bare.lastIndexOf(' (') + 2, -1)
    : bare.replace(/^[^@/]*@/, '');
  const match = /^(.+):(\d+):(\d+)$/.exec(inner);
  if (!match?.[1]) return undefined;
  return { file: toPath(match[1]), line: Number(match[2]), column: Number(match[3]) };
}

function toPath(file: string): string {
  if (!file.startsWith('file:')) return file;
  const path = decodeURIComponent(new URL(file).pathname);
  return /^\/[A-Za-z]:/.test(path) ? path.slice(1) : path;
}

/** Where source maps are on, a frame of `dist/` is shown in `src/`. */
const PACKAGE_FOLDERS = ['src', 'dist'].map((folder) =>
  toPath(import.meta.url).replace(/[^/]*\/[^/]*$/, `${folder}/`),
);

function isInternal(file: string): boolean {
  if (file.startsWith('node:') || file === '<anonymous>') return true;
  // The tests stand beside the files they test, and play the user.
  return PACKAGE_FOLDERS.some((folder) => file.startsWith(folder)) && !/\.test\.[jt]s$/.test(file);
}
