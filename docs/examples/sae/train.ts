/**
 * Trains a small sparse autoencoder, in plain TypeScript: of `features` features at most `active` are other than 0 for one
 * activation, and the activation is put together from their directions again. (A. Makhzani and B. Frey, k-Sparse
 * Autoencoders, 2013; L. Gao and others, Scaling and evaluating sparse autoencoders, 2024.)
 */

/** Activations one after the other, each of `width` numbers. */
export interface Activations {
  readonly width: number;
  readonly data: Float32Array;
}

/** `features = top(relu((x − bias) · encoder + encoderBias))`, `x ≈ features · decoder + bias`. */
export interface Sae {
  readonly width: number;
  readonly features: number;
  /** How many features are other than 0 at most. */
  readonly active: number;
  /** `[features, width]`, both. */
  readonly encoder: Float32Array;
  readonly decoder: Float32Array;
  readonly encoderBias: Float32Array;
  readonly bias: Float32Array;
}

export interface TrainOptions {
  readonly features: number;
  readonly active: number;
  readonly steps: number;
  readonly batch?: number;
  readonly learningRate?: number;
}

/** A tensor that Adam moves. */
class Weight {
  readonly values: Float32Array;
  readonly gradient: Float32Array;
  readonly #mean: Float32Array;
  readonly #square: Float32Array;

  constructor(values: Float32Array) {
    this.values = values;
    this.gradient = new Float32Array(values.length);
    this.#mean = new Float32Array(values.length);
    this.#square = new Float32Array(values.length);
  }

  /** One step of Adam (D. Kingma and J. Ba, 2014), and the gradient is 0 again. */
  move(step: number, rate: number): void {
    const [correctMean, correctSquare] = [1 - 0.9 ** step, 1 - 0.999 ** step];
    const { values, gradient } = this;
    const [mean, square] = [this.#mean, this.#square];
    for (let at = 0; at < values.length; at++) {
      const g = gradient[at] ?? 0;
      const m = 0.9 * (mean[at] ?? 0) + 0.1 * g;
      const s = 0.999 * (square[at] ?? 0) + 0.001 * g * g;
      mean[at] = m;
      square[at] = s;
      values[at] = (values[at] ?? 0) - (rate * (m / correctMean)) / (Math.sqrt(s / correctSquare) + 1e-8);
    }
    gradient.fill(0);
  }
}

export function train(activations: Activations, options: TrainOptions): Sae {
  const { width } = activations;
  const { features, active, steps, batch = 128, learningRate = 0.002 } = options;
  const { data, scale } = normalized(activations);
  const random = numbers(1);
  const directions = unitRows(
    Float32Array.from({ length: features * width }, () => random() - 0.5),
    width,
  );
  const sae = {
    encoder: new Weight(directions.slice()),
    decoder: new Weight(directions),
    encoderBias: new Weight(new Float32Array(features)),
    bias: new Weight(meanOf({ width, data })),
  };
  const count = data.length / width;
  for (let step = 1; step <= steps; step++) {
    for (let row = 0; row < batch; row++) {
      const at = Math.floor(random() * count) * width;
      learn(sae, data.subarray(at, at + width), active, 2 / batch);
    }
    // Slower towards the end.
    const rate = learningRate * Math.min(1, (3 * (steps - step + 1)) / steps);
    for (const weight of Object.values(sae)) weight.move(step, rate);
    unitRows(sae.decoder.values, width);
  }
  return {
    width,
    features,
    active,
    // Back to the activations' own scale; features stay in that of the training.
    encoder: sae.encoder.values.map((value) => value * scale),
    decoder: sae.decoder.values.map((value) => value / scale),
    encoderBias: sae.encoderBias.values,
    bias: sae.bias.values.map((value) => value / scale),
  };
}

/** Adds one activation's gradients of the squared error. */
function learn(
  { encoder, decoder, encoderBias, bias }: Record<'encoder' | 'decoder' | 'encoderBias' | 'bias', Weight>,
  x: Float32Array,
  active: number,
  share: number,
): void {
  const width = x.length;
  const centred = x.map((value, at) => value - (bias.values[at] ?? 0));
  const chosen = encode(encoder.values, encoderBias.values, centred, active);
  const error = bias.values.map((value, at) => value - (x[at] ?? 0));
  for (const { feature, value } of chosen)
    for (let at = 0; at < width; at++)
      error[at] = (error[at] ?? 0) + value * (decoder.values[feature * width + at] ?? 0);
  for (let at = 0; at < width; at++) bias.gradient[at] = (bias.gradient[at] ?? 0) + share * (error[at] ?? 0);
  for (const { feature, value } of chosen) {
    const row = feature * width;
    let pull = 0;
    for (let at = 0; at < width; at++) {
      const e = share * (error[at] ?? 0);
      pull += e * (decoder.values[row + at] ?? 0);
      decoder.gradient[row + at] = (decoder.gradient[row + at] ?? 0) + value * e;
    }
    encoderBias.gradient[feature] = (encoderBias.gradient[feature] ?? 0) + pull;
    for (let at = 0; at < width; at++) {
      encoder.gradient[row + at] = (encoder.gradient[row + at] ?? 0) + pull * (centred[at] ?? 0);
      bias.gradient[at] = (bias.gradient[at] ?? 0) - pull * (encoder.values[row + at] ?? 0);
    }
  }
}

/** The largest features above 0. */
function encode(encoder: Float32Array, bias: Float32Array, x: Float32Array, active: number) {
  const width = x.length;
  const found: { feature: number; value: number }[] = [];
  for (let feature = 0; feature < bias.length; feature++) {
    let value = bias[feature] ?? 0;
    const row = feature * width;
    for (let at = 0; at < width; at++) value += (encoder[row + at] ?? 0) * (x[at] ?? 0);
    if (value > 0) found.push({ feature, value });
  }
  return found.sort((a, b) => b.value - a.value).slice(0, active);
}

/** Activations whose mean square is 1 a number. */
function normalized({ data }: Activations): { readonly data: Float32Array; readonly scale: number } {
  const square = data.reduce((sum, value) => sum + value * value, 0) / data.length;
  const scale = 1 / Math.sqrt(square);
  return { data: data.map((value) => value * scale), scale };
}

export function meanOf({ width, data }: Activations): Float32Array {
  const mean = new Float32Array(width);
  for (const [at, value] of data.entries()) mean[at % width] = (mean[at % width] ?? 0) + value;
  return mean.map((sum) => (sum * width) / data.length);
}

function unitRows(values: Float32Array, width: number): Float32Array {
  for (let row = 0; row < values.length; row += width) {
    const part = values.subarray(row, row + width);
    const norm = Math.hypot(...part) || 1;
    for (let at = 0; at < width; at++) part[at] = (part[at] ?? 0) / norm;
  }
  return values;
}

/** From 0 to below 1, the same each time (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}
