/**
 * A sparse autoencoder on tiny-gpt2's block 2, from activations to features: collect them by traces that stop there, train,
 * send the autoencoder to the server as a function, put its reconstruction in the place of the residual stream, and read
 * features inside the pass. docs/SAE.md walks through it; `npm run sae` runs it.
 */
import { readFileSync } from 'node:fs';
import { LanguageModel, type OperandLike, type Trace, type UserFunction } from '@tracewire/client';
import { saeFile } from './sae/onnx-file.ts';
import { type Activations, meanOf, train } from './sae/train.ts';
import { startServer } from './start-server.ts';

const TEXTS = readFileSync(new URL('./sae/texts.txt', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n');
const [TRAINING, HELD_OUT] = [TEXTS.slice(0, 600), TEXTS.slice(600)];
/** Texts in one pass. */
const TOGETHER = 16;

const server = await startServer();
const model = new LanguageModel('tiny-gpt2', { url: server.url });
const residual = (m: Trace) => m.transformer.h[2].output[0];

// 1. Activations, from passes that end after block 2.
const parts: Float32Array[] = [];
let report = '';
for (let first = 0; first < TRAINING.length; first += TOGETHER) {
  const run = await model.trace((t) => ({
    saved: TRAINING.slice(first, first + TOGETHER).map((text) => t.invoke(text, (m) => residual(m).save())),
    report: t.report(),
  }));
  for (const { value } of run.saved) parts.push(value.data as Float32Array);
  const { modulesRun, modulesTotal, stoppedAfter } = run.report.value;
  report = `${modulesRun} of ${modulesTotal} modules a pass, which stops after ${stoppedAfter}`;
}
const activations: Activations = { width: 128, data: concat(parts) };
console.log(`${activations.data.length / activations.width} activations: ${report}.`);

// 2. Training, in this process.
const sae = train(activations, { features: 256, active: 16, steps: 700 });

// 3. The autoencoder as a function of the trace.
const file = saeFile(sae);
const autoencoder = model.fn(file);
const { inputs, outputs } = await autoencoder.describe();
const ports = [...inputs, ...outputs].map(({ name, dims }) => `${name} [${dims.join(', ')}]`);
console.log(`A function of ${(file.length / 1024).toFixed(0)} KiB: ${ports.join(', ')}.`);

// 4. How much of the residual stream it keeps, on texts that it has not seen; only sums come back.
const mean = [...meanOf(activations)];
const sums = await Promise.all(
  HELD_OUT.map((text) =>
    model.trace(text, (m) => {
      const h = residual(m);
      const [reconstruction, features] = take(autoencoder, h);
      return {
        error: reconstruction.sub(h).pow(2).sum().save(),
        spread: h.sub(mean).pow(2).sum().save(),
        active: features.gt(0).cast('float32').sum(-1).mean().save(),
      };
    }),
  ),
);
const total = (name: 'error' | 'spread' | 'active') =>
  sums.reduce((sum, saved) => sum + Number(saved[name].value.item()), 0);
const explained = 1 - total('error') / total('spread');
console.log(
  `It explains ${percent(explained)} of the variance with ${(total('active') / sums.length).toFixed(1)} of ${sae.features} features.`,
);

// 5. What the model loses with the reconstruction in the residual's place, and with the mean there instead.
const losses = { clean: 0, reconstruction: 0, mean: 0 };
for (const text of HELD_OUT) {
  const { ids } = await model.tokenizer.encode(text);
  const loss = (change: (m: Trace) => void): Promise<number> =>
    model
      .trace(text, (m) => {
        change(m);
        return surprise(m, ids).save();
      })
      .then(({ value }) => Number(value.item()) / HELD_OUT.length);
  losses.clean += await loss(() => undefined);
  losses.reconstruction += await loss((m) => void residual(m).set(take(autoencoder, residual(m))[0]));
  losses.mean += await loss((m) => void residual(m).set(residual(m).mul(0).add(mean)));
}
const recovered = (losses.mean - losses.reconstruction) / (losses.mean - losses.clean);
console.log(
  `Loss ${losses.clean.toFixed(2)}; with the reconstruction ${losses.reconstruction.toFixed(2)}, with the mean ${losses.mean.toFixed(2)}: ${percent(recovered)} recovered.`,
);

// 6. The same answer through the reconstruction?
const prompt = 'The Eiffel Tower is in the city of';
const next = async (change: (m: Trace) => void): Promise<string> => {
  const { value } = await model.trace(prompt, (m) => {
    change(m);
    return m.lm_head.output.slice(0, -1).argmax(-1).save();
  });
  return model.tokenizer.decode([Number(value.item())]);
};
const answers = [
  await next(() => undefined),
  await next((m) => void residual(m).set(take(autoencoder, residual(m))[0])),
];
console.log(`${prompt} …${answers[0]}; with the reconstruction …${answers[1]}.`);

// 7. Features, read inside the pass: the strongest at the last token, 5 numbers a prompt instead of 256.
for (const subject of ['The Eiffel Tower', 'The Colosseum', 'The sound of a cow', 'Mary and John']) {
  const top = await model.trace(subject, (m) => {
    const { values, indices } = take(autoencoder, residual(m))[1].slice(0, -1).topK(5);
    return { values: values.save(), indices: indices.save() };
  });
  const strength = [...(top.values.value.data as Float32Array)];
  const named = [...(top.indices.value.data as BigInt64Array)].map(
    (feature, index) => `${feature} (${(strength[index] ?? 0).toFixed(1)})`,
  );
  console.log(`${subject}: features ${named.join(', ')}`);
}

await model.close();
await server.stop();

/** The function's two outputs. */
function take(f: UserFunction, h: OperandLike) {
  const [reconstruction, features] = f(h);
  if (!reconstruction || !features) throw new Error('two outputs');
  return [reconstruction, features] as const;
}

/** The mean of −log p of each token after the first; one number. */
function surprise(m: Trace, ids: readonly number[]) {
  const chances = m.lm_head.output.slice(0, [0, -1]).logSoftmax();
  const targets = m.constant(
    ids.slice(1).map((id) => [id]),
    'int64',
  );
  return m.op('GatherElements', [chances, targets], { axis: 1 }).mean().neg();
}

function concat(arrays: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    whole.set(array, at);
    at += array.length;
  }
  return whole;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)}%`;
}
