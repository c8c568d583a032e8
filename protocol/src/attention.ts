/** Where a model's attention probabilities are, or why they can't be had. */
import type { ModelDescription, ModuleDescription, SourceDescription } from './description.ts';

/** Operators that compute attention in one go: what happens inside them no hook can see. */
const FUSED: ReadonlySet<string> = new Set([
  'Attention',
  'DecoderMaskedMultiHeadAttention',
  'GroupQueryAttention',
  'MultiHeadAttention',
  'PackedAttention',
  'PackedMultiHeadAttention',
  'PagedAttention',
  'QAttention',
  'SparseAttention',
]);

export type AttentionProbabilities =
  | { readonly source: SourceDescription }
  /** `nearest`: a module that has them. */
  | { readonly unavailable: string; readonly nearest?: string };

/** The `Softmax` over positions that a module makes itself: of rank 3 or 4, with the model's heads where both are known. */
export function attentionProbabilities(
  module: ModuleDescription,
  model: ModelDescription,
): AttentionProbabilities {
  const source = findProbabilities(module, model);
  if (source) return { source };
  const fused = fusedOperator(module);
  if (fused !== undefined) {
    return {
      unavailable: `unavailable: fused. The export computes attention in one operator, ${fused}, which has no value for them; export the model with eager attention`,
    };
  }
  const inside = model.modules.find(
    (other) => isWithin(other.path, module.path) && (findProbabilities(other, model) ?? fusedOperator(other)),
  );
  if (!inside) return { unavailable: 'unavailable: the module computes no attention' };
  return { unavailable: `unavailable: look in ${inside.path}, which is inside it`, nearest: inside.path };
}

function findProbabilities(
  { sources = [] }: ModuleDescription,
  { attention }: ModelDescription,
): SourceDescription | undefined {
  const found = sources.filter(
    ({ operator, dims }) => operator === 'Softmax' && (dims.length === 3 || dims.length === 4),
  );
  return (
    found.find(({ dims }) => dims[1] === attention?.heads) ?? (found.length === 1 ? found[0] : undefined)
  );
}

/** The operator, if any, in which a module hides its attention. */
export function fusedOperator({ sources = [] }: ModuleDescription): string | undefined {
  return sources.find(({ operator }) => FUSED.has(operator))?.operator;
}

const isWithin = (path: string, outer: string): boolean =>
  outer === '' ? path !== '' : path.startsWith(`${outer}.`);
