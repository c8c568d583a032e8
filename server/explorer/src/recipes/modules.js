/** What the server says of the model: its modules with what they take and give. */

/** @param {import('../recipe.ts').Model} model */
export async function modules(model) {
  return model.describe();
}

/** @param {Awaited<ReturnType<typeof modules>>} description */
export function print(description) {
  for (const { path, outputs } of description.modules) {
    console.log(
      path || 'the whole model',
      ...outputs.map(({ dtype, dims }) => `${dtype} [${dims.join(', ')}]`),
    );
  }
}
