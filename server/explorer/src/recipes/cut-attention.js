/** Keeps one head from looking from one position at another. */

/**
 * @param {import('../recipe.ts').Model} model
 * @param {{ prompt: string, attention: string, attentionHead: number, from: number, to: number, top: number, head: string }} at
 */
export async function cutAttention(model, { prompt, attention, attentionHead, from, to, top, head }) {
  return model.trace((t) => {
    const plain = t.invoke(prompt, (m) => m.get(head).output.slice(0, -1).softmax());
    const changed = t.invoke(prompt, (m) => {
      const { attentionProbabilities } = m.get(attention).source;
      attentionProbabilities.slice(null, attentionHead, from, to).set(0);
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

/** @param {Awaited<ReturnType<typeof cutAttention>>} next */
export function print({ before, after }) {
  console.log('unchanged', before.tokens.value, before.plain.value);
  console.log('changed', after.tokens.value, after.changed.value);
}
