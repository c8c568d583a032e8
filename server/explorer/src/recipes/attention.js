/** What each position looks at, by head: [heads, from, to], from and to of the window alone. */

/**
 * @param {import('../recipe.ts').Model} model
 * @param {{ prompt: string, first: number, end: number, attention: string }} at
 */
export async function attentionPatterns(model, { prompt, first, end, attention }) {
  return model.trace(prompt, (m) => {
    const { attentionProbabilities } = m.get(attention).source;
    return attentionProbabilities.slice(0, null, [first, end], [first, end]).save();
  });
}

/** @param {Awaited<ReturnType<typeof attentionPatterns>>} patterns */
export function print(patterns) {
  console.log(patterns.value);
}
