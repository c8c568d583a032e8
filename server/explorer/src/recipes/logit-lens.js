/** What the model would say if it ended after each block: at each position, the likeliest next tokens. */

/**
 * @param {import('../recipe.ts').Model} model
 * @param {{ prompt: string, first: number, end: number, top: number, blocks: string, norm: string, head: string }} at
 */
export async function logitLens(model, { prompt, first, end, top, blocks, norm, head }) {
  return model.trace(prompt, (m) =>
    Array.from(m.get(blocks), (block) => {
      const hidden = block.output[0].slice(null, [first, end]);
      const { values, indices } = m.get(head)(m.get(norm)(hidden)).softmax().topK(top);
      return { probabilities: values.save(), tokens: indices.save() };
    }),
  );
}

/** @param {Awaited<ReturnType<typeof logitLens>>} lens */
export function print(lens) {
  for (const [block, { probabilities, tokens }] of lens.entries()) {
    console.log(`block ${block}`, tokens.value, probabilities.value);
  }
}
