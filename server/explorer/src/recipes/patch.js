/** Puts what another prompt has there in the place of this prompt’s value. */

/**
 * @param {import('../recipe.ts').Model} model
 * @param {{ prompt: string, position: number, donor: string, donorPosition: number, top: number, place: string, head: string }} at
 */
export async function patch(model, { prompt, position, donor, donorPosition, top, place, head }) {
  return model.trace((t) => {
    const given = t.invoke(donor, (m) => m.get(place).output[0].slice(null, donorPosition));
    const plain = t.invoke(prompt, (m) => m.get(head).output.slice(0, -1).softmax());
    const changed = t.invoke(prompt, (m) => {
      m.get(place).output[0].slice(null, position).set(given);
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

/** @param {Awaited<ReturnType<typeof patch>>} next */
export function print({ before, after }) {
  console.log('unchanged', before.tokens.value, before.plain.value);
  console.log('changed', after.tokens.value, after.changed.value);
}
