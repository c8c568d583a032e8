/** The parity report as text: a line a model, and every module that is missing or disagrees with its reason. */
import type { Comparison, ModuleResult } from './compare.ts';
import { type Entry, isStepwise, toleranceOf } from './entries.ts';

/** A comparison, or why there is none. */
export type Result = Comparison | string;

export interface Judged {
  readonly entry: Entry;
  readonly result: Result;
}

interface Counts {
  readonly computing: readonly ModuleResult[];
  readonly hooked: readonly ModuleResult[];
  readonly agreeing: readonly ModuleResult[];
  readonly missing: readonly ModuleResult[];
  readonly disagreeing: readonly ModuleResult[];
  readonly worst: number;
}

function countsOf({ modules }: Comparison, tolerance: number): Counts {
  const computing = modules.filter(({ computes }) => computes);
  const hooked = computing.filter((module) => module.hooked);
  const agrees = ({ error }: ModuleResult): boolean => error !== undefined && error <= tolerance;
  const agreeing = hooked.filter(agrees);
  return {
    computing,
    hooked,
    agreeing,
    missing: computing.filter((module) => !module.hooked),
    disagreeing: hooked.filter((module) => !agrees(module)),
    worst: Math.max(0, ...agreeing.map(({ error }) => error ?? 0)),
  };
}

/** Whether the report is as it must be. A model that an exporter can't make is no fault of ours. */
export function isSound({ entry, result }: Judged): boolean {
  if (typeof result === 'string') return entry.failed !== undefined;
  const { disagreeing } = countsOf(result, toleranceOf(entry));
  return disagreeing.length === 0 && result.whole.disagreeing === 0 && noticesCorruption(entry, result);
}

/** A lossy model is too far from PyTorch to see a small change there, but not from its own unsplit run. */
function noticesCorruption(entry: Entry, { corrupted, noticed, noticedInPass, whole }: Comparison): boolean {
  if (isStepwise(entry)) return noticedInPass;
  const { precision } = entry;
  const seen = whole.noticed === whole.compared && noticedInPass;
  return seen && (precision !== 'float32' || (corrupted > 0 && noticed === corrupted));
}

/** Lines for the terminal. */
export function summaryOf({ entry, result }: Judged): string {
  const name = `${entry.architecture}/${entry.variant}`;
  if (typeof result === 'string')
    return `${name}: ${entry.failed ? 'not exported' : 'NOT LOADED'}: ${result}`;
  const { computing, hooked, agreeing, missing, disagreeing, worst } = countsOf(result, toleranceOf(entry));
  const { whole } = result;
  return [
    `${name}: ${computing.length} compute, ${hooked.length} hooked, ${agreeing.length} agree (${show(worst)}); unsplit ${show(whole.error)} of ${whole.compared}${noticesCorruption(entry, result) ? '' : '; A CORRUPTION WENT UNNOTICED'}`,
    ...missing.map((module) => `    missing ${nameOf(module)}: ${module.reason}`),
    ...disagreeing.map(
      (module) =>
        `    DISAGREES ${nameOf(module)}: ${show(module.error)}, its input ${show(module.inputError)}`,
    ),
    ...(whole.disagreeing > 0 ? [`    UNSPLIT DISAGREES at ${whole.at}`] : []),
  ].join('\n');
}

/** The page `docs/PARITY.md`. */
export function reportOf(results: readonly Judged[]): string {
  const loaded = results.filter(({ result }) => typeof result !== 'string');
  const compared = loaded.flatMap(({ entry, result }) =>
    typeof result === 'string' ? [] : [{ entry, result, counts: countsOf(result, toleranceOf(entry)) }],
  );
  const sum = (count: (counts: Counts) => number): number =>
    compared.reduce((total, { counts }) => total + count(counts), 0);
  const rows = compared.map(({ entry, result, counts }) => [
    entry.architecture,
    entry.variant,
    result.modules.length,
    counts.computing.length,
    counts.hooked.length,
    counts.agreeing.length,
    show(counts.worst),
    toleranceOf(entry),
    show(result.whole.error),
    noticesCorruption(entry, result) ? 'yes' : '**no**',
  ]);
  const left = new Map<string, number>();
  for (const { result } of compared) {
    for (const { computes, hooked, reason = '', class: name } of result.modules) {
      if (!computes && !hooked) left.set(`${name}: ${reason}`, (left.get(`${name}: ${reason}`) ?? 0) + 1);
    }
  }
  const list = (lines: readonly string[]): string => (lines.length > 0 ? lines.join('\n') : 'None.');
  return `${INTRODUCTION}
${sum(({ computing }) => computing.length)} PyTorch modules compute something in the ${compared.length} models below; ${sum(({ hooked }) => hooked.length)} have a hook point, and ${sum(({ agreeing }) => agreeing.length)} of those agree.

${table(HEADINGS, rows)}

## Modules that compute and have no hook point

${list(compared.flatMap(({ entry, counts }) => counts.missing.map((module) => `- \`${entry.architecture}/${entry.variant}\` ${nameOf(module)}: ${module.reason}`)))}

## Modules that disagree

${list(compared.flatMap(({ entry, counts }) => counts.disagreeing.map((module) => `- \`${entry.architecture}/${entry.variant}\` ${nameOf(module)}: ${show(module.error)}`)))}

## Modules that compute nothing and have no hook point

${list([...left].sort().map(([what, count]) => `- ${what} (${count})`))}

## Models that could not be made or loaded

${list(results.flatMap(({ entry, result }) => (typeof result === 'string' ? [`- \`${entry.architecture}/${entry.variant}\`${entry.failed ? '' : ' (**not loaded**)'}: ${plain(result)}`] : [])))}
`;
}

const INTRODUCTION = `# Parity with PyTorch

Every module's output, read through the engine, against PyTorch's own by forward hooks, for small random models of
fixed seeds, and for SmolLM2-135M, a trained one. This page is made by a command; it is not edited by hand.

    python test/reference/make_matrix.py --out DIR --genai-python PYTHON
    python test/reference/make_matrix.py --out DIR --trained SMOLLM2 --checkpoint CHECKPOINT
    npm run parity -- --models DIR --write docs/PARITY.md

An error is the largest difference divided by the value's RMS; weights are scaled so that activations are of ordinary
size. A module agrees if its output is within the tolerance in two passes of different inputs. float16, 8- and 4-bit
exports are other numbers than PyTorch's float32 ones, so there the tolerance is loose, and the column _unsplit_ is what
counts: the engine's values against the same file run whole in bare ONNX Runtime. _corruption_: whether a change of 2% of the
RMS in one element is seen, in each compared value, and in the pass itself at the first block. \`cache\` in a name: with a key/value
cache. An expert's tokens are compared in sorted order, for exports gather them in their own. Where the graph is cut, int8
in quantize-dequantize pairs changes by steps of quantization (tolerance 0.25 there, and a small change in one value is not looked for).
\`builder\`: the model builder of onnxruntime-genai, with fused attention and norms.
`;

const HEADINGS = [
  'model',
  'export',
  'modules',
  'that compute',
  'hook points',
  'agree',
  'largest error',
  'tolerance',
  'unsplit',
  'corruption seen',
];

function table(headings: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
  return [line(headings), line(headings.map(() => '---')), ...rows.map(line)].join('\n');
}

const show = (error: number | undefined): string =>
  error === undefined ? 'not compared' : error === 0 ? '0' : error.toExponential(1);
const nameOf = ({ path, class: name }: ModuleResult): string => `\`${path || '(the model)'}\` (${name})`;
/** Without places of this machine, and with nothing that Markdown takes for its own. */
const plain = (text: string): string =>
  text
    .replace(/\n\s+at .*/s, '')
    .replace(/(?<=\s)\/\S*\//g, '')
    .replace(/[<>|]/g, ' ')
    .replace(/\s+/g, ' ')
    .slice(0, 300);
