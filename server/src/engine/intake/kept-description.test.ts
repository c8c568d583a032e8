/** What is kept of a model's description is told only where it is what a host would say today. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ModelDescription } from '@tracewire/protocol';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Engine } from '../engine.ts';
import { TINY_GPT2 } from '../testing/models.ts';
import { keepDescription, keptDescription } from './kept-description.ts';
import { preparedFolder } from './prepared-folder.ts';

const root = mkdtempSync(path.join(tmpdir(), 'tracewire-described-'));
const of = {
  name: 'm',
  folder: path.join(root, 'm'),
  cache: path.join(root, 'cache'),
  provider: 'cpu',
} as const;

const ask = (): Promise<ModelDescription> =>
  Engine.describe({ ...of, threads: 1, savedBytes: 1, intermediateBytes: 1 }, () => undefined);

let asked: ModelDescription;
let file: string;
let whole: string;
beforeAll(async () => {
  cpSync(TINY_GPT2, of.folder, { recursive: true });
  asked = await ask();
  file = path.join(preparedFolder(of.cache, asked.id), 'description-cpu.json');
  expect(await keptDescription(of)).toBeUndefined();
  await keepDescription(of, asked);
  whole = readFileSync(file, 'utf8');
}, 60_000);
afterAll(() => rmSync(root, { recursive: true }));

it('is what was said, under the name that the server gives it, of the same provider', async () => {
  const plain = JSON.parse(JSON.stringify(asked));
  expect(await keptDescription(of)).toEqual(plain);
  expect(await keptDescription({ ...of, name: 'other' })).toEqual({ ...plain, name: 'other' });
  expect(await keptDescription({ ...of, provider: 'cuda' })).toBeUndefined();
});

it.each<[string, () => string]>([
  ['is empty', () => ''],
  ['is cut short', () => whole.slice(0, 1000)],
  ['is something else', () => '{}'],
  ['is no object', () => 'null'],
  ['has another number', () => whole.replace('"order":{"input":1', '"order":{"input":2')],
  ['has another name in it', () => whole.replaceAll('transformer.h.1', 'transformer.h.7')],
  ['is of another version', () => whole.replace('"key":"', '"key":"0')],
])('counts for nothing where the file %s', async (_, spoil) => {
  expect(spoil()).not.toBe(whole);
  writeFileSync(file, spoil());
  expect(await keptDescription(of)).toBeUndefined();
  writeFileSync(file, whole);
  expect(await keptDescription(of)).toBeDefined();
});

it('counts for nothing once a file of the model is another, also one that its id leaves out', async () => {
  const generation = path.join(of.folder, 'generation_config.json');
  const before = readFileSync(generation, 'utf8');
  writeFileSync(generation, '{"eos_token_id": [1, 2]}');
  expect(await keptDescription(of)).toBeUndefined();
  await keepDescription(of, await ask());
  expect((await keptDescription(of))?.endOfText).toEqual([1, 2]);
  writeFileSync(generation, before);
  const config = path.join(of.folder, 'config.json');
  writeFileSync(config, `${readFileSync(config, 'utf8')} `);
  expect(await keptDescription(of)).toBeUndefined();
  rmSync(path.join(of.folder, 'model.onnx'));
  expect(await keptDescription(of)).toBeUndefined();
});
