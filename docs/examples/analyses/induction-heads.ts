/** Which heads are induction heads? `npx tsx docs/examples/analyses/induction-heads.ts [MODEL FOLDER]`; docs/analyses/induction-heads.md. */
import { LanguageModel } from '@tracewire/client';
import { attentionScores, inductionWeights } from '@tracewire/client/analyses';

const folder = process.argv[2] ?? 'tiny-gpt2';
const model = new LanguageModel(folder, { remote: false });
const { vocabularySize = 1000 } = await model.describe();

// 24 random tokens, twice; the same ones each time this is run.
let state = 1;
const random = (): number => {
  state = (state * 48_271) % 2_147_483_647;
  return state / 2_147_483_647;
};
const sequence = Array.from({ length: 24 }, () => 100 + Math.floor(random() * (vocabularySize - 200)));
const ids = [...sequence, ...sequence];

const scores = await attentionScores(model, ids, inductionWeights(ids.length));
const [blocks = 0, heads = 0] = scores.dims;
const ranked = Array.from({ length: blocks * heads }, (_, index) => ({
  name: `block ${Math.floor(index / heads)}, head ${index % heads}`,
  score: Number(scores.data[index]),
})).sort((a, b) => b.score - a.score);
for (const { name, score } of ranked.slice(0, 8)) console.log(`${name}: ${score.toFixed(3)}`);
await model.close();
