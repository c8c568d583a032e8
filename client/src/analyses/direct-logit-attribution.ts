/**
 * Direct logit attribution (Elhage et al., 2021): how much each part of the model adds to a logit straight through the residual
 * stream. The final norm's scale is taken as it was, so the parts add up, but for the norm's and the unembedding's own biases.
 * It holds for models whose blocks add attention's and the MLP's outputs to the stream, as GPT-2 and Llama do.
 */
import type { TraceInput } from '../input.ts';
import type { LanguageModel } from '../model.ts';
import type { PlaceSlice } from '../place-slice.ts';
import { Tensor } from '../tensor.ts';
import type { Trace } from '../trace-context.ts';
import type { TracedValue } from '../traced.ts';
import { type Architecture, architectureOf, type Parts } from './architecture.ts';
import { logitOf, type Target, type TargetIds, targetIds } from './targets.ts';

/** Options of `directLogitAttribution`. */
export interface AttributionOptions extends Target {
  /** Which position; the last if left out. */
  readonly position?: number | undefined;
  /** Of each head too. */
  readonly heads?: boolean | undefined;
  readonly parts?: Parts | undefined;
}

/** A logit, taken apart. */
export interface Attribution {
  /** `embedding`, then each block's attention and MLP by path. */
  readonly components: readonly string[];
  /** `[components]`. */
  readonly contributions: Tensor;
  /** `[blocks, heads]`; a block's sum to its attention's, but for the projection's bias. */
  readonly heads: Tensor | undefined;
  /** The logit, or the difference, as the model gave it. */
  readonly logit: number;
  /** What the components don't explain: biases of the norm and the unembedding. */
  readonly unexplained: number;
}

type Value = TracedValue | PlaceSlice;

/** Rejects as `trace` does, and with `bad_input` where a part of the model isn't found. */
export async function directLogitAttribution(
  model: LanguageModel,
  input: TraceInput,
  options: AttributionOptions,
): Promise<Attribution> {
  const { position = -1, parts } = options;
  const architecture = await architectureOf(model, parts);
  const ids = await targetIds(model, options);
  const { blocks } = architecture;
  const saved = await model.trace(input, (m) => {
    const { project } = direction(m, architecture, ids, position);
    const at = (path: string): Value => m.get(path).output[0].slice(0, position);
    const first = m.get(blocks[0] ?? '').input.slice(0, position);
    const paths = blocks.flatMap((block) => [
      architecture.inBlock('attention', block),
      architecture.inBlock('mlp', block),
    ]);
    return {
      contributions: [first, ...paths.map(at)].map((value) => project(value).save()),
      components: ['embedding', ...paths],
      heads: options.heads
        ? blocks.map((block) =>
            project(headOutputs(m, architecture.inBlock('projection', block), position)).save(),
          )
        : [],
      logit: logitOf(m, architecture.part('unembedding'), ids, position).save(),
    };
  });
  const contributions = saved.contributions.map(({ value }) => Number(value.item()));
  const logit = Number(saved.logit.value.item());
  return {
    components: saved.components,
    contributions: Tensor.from(contributions),
    heads: options.heads
      ? Tensor.from(saved.heads.map(({ value }) => Array.from(value.data, Number)))
      : undefined,
    logit,
    unexplained: logit - contributions.reduce((sum, value) => sum + value, 0),
  };
}

/** What a vector of the residual stream adds to the logit: centred if the norm centres, scaled as the norm scaled there. */
function direction(m: Trace, architecture: Architecture, { target, versus }: TargetIds, position: number) {
  const [norm, unembedding] = [architecture.part('finalNorm'), architecture.part('unembedding')];
  const weights = m.parameter(unembeddingWeight(architecture, unembedding));
  const one = weights.slice(target);
  const wanted = versus === undefined ? one : one.sub(weights.slice(versus));
  const facts = architecture.description.modules.find(({ path }) => path === norm);
  const has = (name: string): boolean =>
    architecture.description.parameters.some((each) => each.name === name);
  const biased = has(`${norm}.bias`);
  const centred = biased || (/layer_?norm/i.test(facts?.class ?? '') && !/rms/i.test(facts?.class ?? ''));
  // Gemma's norms multiply by one more than their weight.
  const own = m.parameter(`${norm}.weight`);
  const scale = /gemma/i.test(facts?.class ?? '') ? own.add(1) : own;
  const centre = (value: Value): Value => (centred ? value.sub(value.mean(-1, true)) : value);
  const before = centre(m.get(norm).input.slice(0, position)).mul(scale);
  const after = m.get(norm).output.slice(0, position);
  const scaled = biased ? after.sub(m.parameter(`${norm}.bias`)) : after;
  // The norm of what came out to that of what went in is 1 / its deviation, whatever epsilon it adds.
  const factor = scaled.mul(scaled).sum().div(before.mul(before).sum()).sqrt();
  const along = wanted.mul(scale).mul(factor);
  return { project: (value: Value): TracedValue => centre(value).mul(along).sum(-1) };
}

/** Its own, or the embedding's where the model has them as one. */
function unembeddingWeight({ description }: Architecture, unembedding: string): string {
  const { parameters, vocabularySize } = description;
  const own = `${unembedding}.weight`;
  if (parameters.some(({ name }) => name === own)) return own;
  const tied = parameters.find(
    ({ name, dims }) =>
      /(embed|wte)[^.]*\.weight$/.test(name) && dims.length === 2 && dims[0] === vocabularySize,
  );
  return tied?.name ?? own;
}

/** `[heads, width]`: what each head adds to the residual stream at a position, the projection's bias left out. */
export function headOutputs(m: Trace, projection: string, position: number): TracedValue {
  const { heads } = m.get(projection).input;
  const { count, size } = heads;
  const masks = Tensor.from(
    Array.from({ length: count }, (_, head) => [
      Array.from({ length: count * size }, (_, index) => (Math.floor(index / size) === head ? 1 : 0)),
    ]),
  );
  const row = m.get(projection).input.slice(0, position);
  const each = row.mul(m.constant(masks));
  const module = m.get(projection);
  return module(each)
    .sub(module(each.mul(0)))
    .slice(null, 0);
}
