/** Adds a direction: what one text has there at its end, less what another has. */

/**
 * @param {import('../recipe.ts').Model} model
 * @param {{ prompt: string, position: number, toward: string, away: string, strength: number, top: number, place: string, head: string }} at
 */
export async function steer(model, { prompt, position, toward, away, strength, top, place, head }) {
  return model.trace((t) => {
    const wanted = t.invoke(toward, (m) => m.get(place).output[0].slice(null, -1));
    const unwanted = t.invoke(away, (m) => m.get(place).output[0].slice(null, -1));
    const plain = t.invoke(prompt, (m) => m.get(head).output.slice(0, -1).softmax());
    const changed = t.invoke(prompt, (m) => {
      m.get(place).output[0].slice(null, position).add_(wanted.sub(unwanted).mul(strength));
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

/** @param {Awaited<ReturnType<typeof steer>>} next */
export function print({ before, after }) {
  console.log('unchanged', before.tokens.value, before.plain.value);
  console.log('changed', after.tokens.value, after.changed.value);
}
