/** Lets the model go on, token by token. */

/**
 * @param {import('../recipe.ts').Model} model
 * @param {{ prompt: string, maxNewTokens: number }} at
 */
export async function continuation(model, { prompt, maxNewTokens }) {
  return model.generate(prompt, { maxNewTokens });
}

/** @param {Awaited<ReturnType<typeof continuation>>} generated */
export function print(generated) {
  console.log(generated.text);
}
