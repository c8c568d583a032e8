/** How long each position’s residual is after each block, and what the block’s attention and MLP added to it. */

/**
 * @param {import('../recipe.ts').Model} model
 * @param {{ prompt: string, first: number, end: number, blocks: string, attention: string, mlp: string }} at
 */
export async function residualNorms(model, { prompt, first, end, blocks, attention, mlp }) {
  return model.trace(prompt, (m) =>
    Array.from(m.get(blocks), (block) => ({
      residual: block.output[0].slice(null, [first, end]).norm(-1).save(),
      attention: block.get(attention).output[0].slice(null, [first, end]).norm(-1).save(),
      mlp: block.get(mlp).output[0].slice(null, [first, end]).norm(-1).save(),
    })),
  );
}

/** @param {Awaited<ReturnType<typeof residualNorms>>} norms */
export function print(norms) {
  for (const [block, { residual, attention, mlp }] of norms.entries()) {
    console.log(`block ${block}`, residual.value, attention.value, mlp.value);
  }
}
