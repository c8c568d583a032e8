/** Chooses a token from logits, in float64, exactly as PROTOCOL.md, section 6.2, says. */
import { type Generate, type TensorLike, TracewireError } from '@tracewire/protocol';

/** Random numbers from 0 to below 1, by their index. */
export interface Uniforms {
  uniform(index: number): number;
}

/**
 * Logits of a row's position, the last if not said, of a `[rows, positions, vocabulary]` tensor, as float64. Throws for a dtype
 * without numbers.
 */
export function lastLogits(
  { dtype, dims, data }: TensorLike,
  fromFloat16: (bits: number) => number,
  at?: { readonly row: number; readonly position: number },
): Float64Array {
  const vocabulary = dims.at(-1) ?? 0;
  const end = at ? (at.row * (dims.at(-2) ?? 1) + at.position + 1) * vocabulary : data.length;
  const row = data.subarray(end - vocabulary, end) as ArrayLike<number>;
  if (dtype === 'float32' || dtype === 'float64') return Float64Array.from(row);
  if (dtype === 'float16') return Float64Array.from(row, fromFloat16);
  throw new TracewireError({
    code: 'model_unsupported',
    message: `No token can be chosen from ${dtype} logits.`,
  });
}

/**
 * The id that is chosen at a step. `logits` are changed. `seen` are the ids of the prompt and those chosen before.
 * Throws `operation_failed` for logits that nothing can be chosen from: an intervention may make them NaN.
 */
export function chooseToken(
  logits: Float64Array,
  { temperature = 0, topK, topP, repetitionPenalty = 1 }: Generate,
  seen: ReadonlySet<number>,
  step: number,
  uniforms: Uniforms,
): number {
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
function highest(logits: Float64Array, step: number): number {
  let best = 0;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] ?? 0;
    if (Number.isNaN(logit)) throw unusable(step, `that of token ${id} is NaN`);
    if (logit > (logits[best] ?? 0)) best = id;
  }
  return best;
}

/** Drops what is below the k-th highest; equal ones at the border stay. */
function dropBelow(logits: Float64Array, k: number): void {
  const border = logits.slice().sort()[logits.length - k] ?? Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id++) {
    if ((logits[id] ?? 0) < border) logits[id] = Number.NEGATIVE_INFINITY;
  }
}

/** Drops all after the first whose running sum of probabilities is at least `topP`, from the most probable on. */
function dropUnlikely(logits: Float64Array, topP: number): void {
  const probabilities = softmax(logits);
  const order = Uint32Array.from(probabilities, (_, id) => id).sort(
    (a, b) => (probabilities[b] ?? 0) - (probabilities[a] ?? 0) || a - b,
  );
  let sum = 0;
  let kept = 0;
  while (kept < order.length && sum < topP) sum += probabilities[order[kept++] ?? 0] ?? 0;
  for (const id of order.subarray(kept)) logits[id] = Number.NEGATIVE_INFINITY;
}

function softmax(logits: Float64Array): Float64Array {
  let most = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > most) most = logit;
  let sum = 0;
  const exponentials = logits.map((logit) => {
    const value = Math.exp(logit - most);
    sum += value;
    return value;
  });
  return exponentials.map((value) => value / sum);
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
