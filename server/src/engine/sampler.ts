/** Chooses a token from logits, in float64, exactly as PROTOCOL.md, section 6.2, says. */
import { type Generate, type TensorLike, TracewireError } from '@tracewire/protocol';
import { HighestFirst } from './highest-first.ts';

/** Random numbers from 0 to below 1, by their index. */
export interface Uniforms {
  uniform(index: number): number;
}

/** Logits as numbers; what they are a view of stays as it is. */
type Logits = Float32Array | Float64Array;

/**
 * Logits of a row's position, the last if not said, of a `[rows, positions, vocabulary]` tensor, not copied unless their dtype
 * asks for it. Throws for a dtype without numbers.
 */
export function lastLogits(
  { dtype, dims, data }: TensorLike,
  fromFloat16: (bits: number) => number,
  at?: { readonly row: number; readonly position: number },
): Logits {
  const vocabulary = dims.at(-1) ?? 0;
  const end = at ? (at.row * (dims.at(-2) ?? 1) + at.position + 1) * vocabulary : data.length;
  const row = data.subarray(end - vocabulary, end);
  if (row instanceof Float32Array || row instanceof Float64Array) return row;
  if (dtype === 'float16') return Float64Array.from(row as ArrayLike<number>, fromFloat16);
  throw new TracewireError({
    code: 'model_unsupported',
    message: `No token can be chosen from ${dtype} logits.`,
  });
}

/**
 * The id that is chosen at a step. `seen` are the ids of the prompt and those chosen before.
 * Throws `operation_failed` for logits that nothing can be chosen from: an intervention may make them NaN.
 */
export function chooseToken(
  given: Logits,
  { temperature = 0, topK, topP, repetitionPenalty = 1 }: Generate,
  seen: ReadonlySet<number>,
  step: number,
  uniforms: Uniforms,
): number {
  if (repetitionPenalty === 1 && temperature === 0) return highest(given, step);
  const logits = new Float64Array(given);
  if (repetitionPenalty !== 1) penalize(logits, seen, repetitionPenalty);
  const best = highest(logits, step);
  if (temperature === 0) return best;
  for (let id = 0; id < logits.length; id++) logits[id] = (logits[id] ?? 0) / temperature;
  if (!Number.isFinite(logits[best])) throw unusable(step, `the highest is ${logits[best]}`);
  if (topK !== undefined && topK < logits.length) dropBelow(logits, topK);
  if (topP !== undefined) dropUnlikely(logits, topP);
  return draw(softmax(logits), uniforms.uniform(step));
}

function penalize(logits: Float64Array, seen: ReadonlySet<number>, penalty: number): void {
  for (const id of seen) {
    const logit = logits[id];
    if (logit !== undefined) logits[id] = logit > 0 ? logit / penalty : logit * penalty;
  }
}

/** The id of the highest logit, of equal ones the lowest. */
function highest(logits: Logits, step: number): number {
  let best = 0;
  let most = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] ?? 0;
    if (logit > most) {
      most = logit;
      best = id;
    } else if (Number.isNaN(logit)) throw unusable(step, `that of token ${id} is NaN`);
  }
  return best;
}

/** Drops what is below the k-th highest; equal ones at the border stay. */
function dropBelow(logits: Float64Array, k: number): void {
  const order = new HighestFirst(logits, Number.NEGATIVE_INFINITY);
  let border = Number.NEGATIVE_INFINITY;
  for (let taken = 0; taken < k; taken++) {
    const id = order.take();
    // Fewer than k are left: all that is below them is dropped already.
    if (id === undefined) return;
    border = logits[id] ?? border;
  }
  for (let id = 0; id < logits.length; id++) {
    if ((logits[id] ?? 0) < border) logits[id] = Number.NEGATIVE_INFINITY;
  }
}

/** Drops all after the first whose running sum of probabilities is at least `topP`, from the most probable on. */
function dropUnlikely(logits: Float64Array, topP: number): void {
  const probabilities = softmax(logits);
  const order = new HighestFirst(probabilities, 0);
  const all = logits.slice();
  logits.fill(Number.NEGATIVE_INFINITY);
  let sum = 0;
  while (sum < topP) {
    const id = order.take();
    if (id === undefined) return;
    sum += probabilities[id] ?? 0;
    logits[id] = all[id] ?? 0;
  }
}

function softmax(logits: Float64Array): Float64Array {
  let most = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > most) most = logit;
  let sum = 0;
  const probabilities = new Float64Array(logits.length);
  for (let id = 0; id < logits.length; id++) {
    const value = Math.exp((logits[id] ?? 0) - most);
    sum += value;
    probabilities[id] = value;
  }
  for (let id = 0; id < logits.length; id++) probabilities[id] = (probabilities[id] ?? 0) / sum;
  return probabilities;
}

/** By rising id: the first whose running sum is above `u`, or the last that is left. */
function draw(probabilities: Float64Array, u: number): number {
  let sum = 0;
  let last = 0;
  for (let id = 0; id < probabilities.length; id++) {
    const probability = probabilities[id] ?? 0;
    if (probability === 0) continue;
    sum += probability;
    if (sum > u) return id;
    last = id;
  }
  return last;
}

function unusable(step: number, why: string): TracewireError {
  const message = `No token can be chosen in step ${step}: of the logits, ${why}. See what the trace writes.`;
  return new TracewireError({ code: 'operation_failed', message });
}
