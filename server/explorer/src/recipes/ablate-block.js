/** The block adds nothing at one position: what it takes goes on as it is. */

/**
 * @param {import('../recipe.ts').Model} model
 * @param {{ prompt: string, position: number, top: number, block: string, head: string }} at
 */
export async function ablateBlock(model, { prompt, position, top, block, head }) {
  return model.trace((t) => {
    const plain = t.invoke(prompt, (m) => m.get(head).output.slice(0, -1).softmax());
    const changed = t.invoke(prompt, (m) => {
      const { input, output } = m.get(block);
      output[0].slice(null, position).set(input.slice(null, position));
      return m.get(head).output.slice(0, -1).softmax();
    });
    const before = plain.topK(top);
    const after = changed.topK(top);
    return {
      before: {
        tokens: before.indices.save(),
        plain: before.values.save(),
        changed: changed.take(before.indices).save(),
      },
      after: {
        tokens: after.indices.save(),
        plain: plain.take(after.indices).save(),
        changed: after.values.save(),
      },
    };
  });
}

/** @param {Awaited<ReturnType<typeof ablateBlock>>} next */
export function print({ before, after }) {
  console.log('unchanged', before.tokens.value, before.plain.value);
  console.log('changed', after.tokens.value, after.changed.value);
}
