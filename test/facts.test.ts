/** The embedded model is a real one: it answers held-out phrasings of the facts that it was trained on. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { LanguageModel } from '@tracewire/client';
import { expect, it } from 'vitest';
import { ROOT, startServer } from './support/server.ts';

interface Fact {
  readonly prompt: string;
  readonly answer: string;
}

it('tiny-gpt2 answers at least 95% of the held-out phrasings', async () => {
  const facts = JSON.parse(
    readFileSync(path.join(ROOT, 'test/reference/data/facts-heldout.json'), 'utf8'),
  ) as readonly Fact[];
  const server = await startServer();
  const model = new LanguageModel('tiny-gpt2', { url: server.url });
  const wrong: string[] = [];
  for (const { prompt, answer } of facts) {
    const saved = await model.trace(prompt, (m) => m.lm_head.output.slice(0, -1).argmax(-1).save());
    const token = await model.tokenizer.decode([Number(saved.value.item())]);
    if (token !== answer) wrong.push(`${prompt} →${token}, not${answer}`);
  }
  await model.close();
  await server.stop();
  console.log(`${facts.length - wrong.length} of ${facts.length} right; wrong: ${wrong.join('; ')}`);
  expect(facts.length).toBeGreaterThanOrEqual(100);
  expect(wrong.length / facts.length).toBeLessThanOrEqual(0.05);
});
