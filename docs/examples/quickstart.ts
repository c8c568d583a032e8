/**
 * The early-stopping tutorial: save the first block's outputs, stop there, and see that the second block was never
 * run. Then two things that show that the model is real.
 */
import { LanguageModel, ValueNotSetError } from '@tracewire/client';
import { startServer } from './start-server.ts';

const PROMPT = 'The Eiffel Tower is in the city of';

const server = await startServer();
const model = new LanguageModel('tiny-gpt2', { url: server.url });

const { l1, l2, report } = await model.trace(PROMPT, { remote: true }, (m) => {
  const l2 = m.transformer.h[1].output.save();
  const l1 = m.transformer.h[0].output.save();
  m.transformer.h[0].output.stop();
  return { l1, l2, report: m.report() };
});

console.log('L1 - Output: ', l1.value);
try {
  console.log('L2 - Output: ', l2.value);
} catch (error) {
  if (!(error instanceof ValueNotSetError)) throw error;
  console.log(`L2 - Output:  ${error.name}: ${error.message}`);
}
const { modulesRun, modulesTotal, stoppedAfter } = report.value;
console.log(`\n${modulesRun} of ${modulesTotal} modules ran; the pass stopped after ${stoppedAfter}.`);

const next = await model.trace(PROMPT, (m) => {
  const top = m.lm_head.output.slice(0, -1).softmax().topK(1);
  return { token: top.indices.save(), probability: top.values.save() };
});
console.log(`\nA full pass:    "${PROMPT}" →${await describeNext(next)}`);

// Steer: at the last token, block 4 has just looked the city up. Give it what it found for another prompt.
const rome = await model.trace('The Colosseum is in the city of', (m) =>
  m.transformer.h[4].output[0].slice(0, -1).save(),
);
const steered = await model.trace(PROMPT, (m) => {
  m.transformer.h[4].output[0].slice(0, -1).set(rome.value);
  const top = m.lm_head.output.slice(0, -1).softmax().topK(1);
  return { token: top.indices.save(), probability: top.values.save() };
});
console.log(`A steered pass: "${PROMPT}" →${await describeNext(steered)}`);

await model.close();
await server.stop();

async function describeNext({ token, probability }: typeof next): Promise<string> {
  const text = await model.tokenizer.decode([Number(token.value.item())]);
  return `${text} (${(100 * Number(probability.value.item())).toFixed(1)}%)`;
}
