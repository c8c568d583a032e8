/** A function that PyTorch exported (docs/examples/python/export_function.py) gives what PyTorch gives. */
import { readFileSync } from 'node:fs';
import { LanguageModel } from '@tracewire/client';
import { expect, it } from 'vitest';

const FOLDER = new URL('./fixtures/functions/', import.meta.url);
const reference = JSON.parse(readFileSync(new URL('sae.json', FOLDER), 'utf8')) as Record<
  'h' | 'reconstruction' | 'features',
  readonly (readonly number[])[]
>;

it('an exported sparse autoencoder', async () => {
  await using model = new LanguageModel('tiny-gpt2', { remote: false });
  const sae = model.fn(readFileSync(new URL('sae.onnx', FOLDER)));
  expect(sae.inputs).toEqual([{ name: 'h', dtype: 'float32', dims: ['batch', 'position', 8] }]);
  const saved = await model.trace('x', (m) => {
    const [reconstruction, features] = sae(m.constant([reference.h]));
    if (!reconstruction || !features) throw new Error('two outputs');
    return { reconstruction: reconstruction.save(), features: features.save() };
  });
  for (const name of ['reconstruction', 'features'] as const) {
    const { data } = saved[name].value;
    const numbers = [...(data as Float32Array)];
    const wanted = reference[name].flat();
    expect(numbers).toHaveLength(wanted.length);
    for (const [at, number] of numbers.entries()) expect(number).toBeCloseTo(wanted[at] ?? Number.NaN, 5);
  }
});
