/** Where does the name come from? `npx tsx docs/examples/analyses/name-mover.ts [MODEL FOLDER]`; docs/analyses/name-mover.md. */
import { LanguageModel } from '@tracewire/client';
import { activationPatching } from '@tracewire/client/analyses';

const folder = process.argv[2] ?? 'tiny-gpt2';
const model = new LanguageModel(folder, { remote: false });

const clean = 'When Mary and John went to the store, John gave a drink to';
const corrupted = 'When Mary and John went to the store, Mary gave a drink to';
const result = await activationPatching(model, { clean, corrupted, target: ' Mary', versus: ' John' });

console.log(
  `Mary's logit less John's: clean ${result.clean.toFixed(2)}, corrupted ${result.corrupted.toFixed(2)}`,
);
const tokens = await model.tokenizer.tokens(clean);
const cell = (text: string): string => text.slice(0, 6).padStart(7);
console.log(cell('block') + tokens.map(cell).join(''));
for (const [row, block] of result.blocks.entries()) {
  const effects = result.positions.map((_, column) => Number(result.effect.at(row, column)).toFixed(2));
  console.log(cell(String(block)) + effects.map(cell).join(''));
}
await model.close();
