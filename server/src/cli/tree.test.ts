/** `tracewire tree` as users meet it: the built program in a process of its own. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ModelDescription, modelDescription, printTree } from '@tracewire/protocol';
import { afterAll, expect, test } from 'vitest';
import { CACHE, TINY_LLAMA } from '../engine/testing/models.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tracewire-tree-'));
afterAll(() => rmSync(folder, { recursive: true }));

const run = (...args: string[]) =>
  spawnSync(process.execPath, [MAIN, 'tree', '--cache', CACHE, ...args], { cwd: folder, encoding: 'utf8' });

test('shows the embedded model, and any folder', () => {
  const { stdout, status } = run();
  expect(status).toBe(0);
  expect(stdout).toMatch(/^tiny-gpt2: GPT2LMHeadModel; torchscript, opset \d+; 6 blocks; 4 heads of 32\n/);
  expect(stdout).toContain('0 … 5 (6 alike)');
  expect(stdout).toContain('source.attentionProbabilities float32 [batch, 4, sequence, past + sequence]');
  const llama = run(TINY_LLAMA, '--module', 'model.layers.1.self_attn', '--sources');
  expect(llama.stdout).toContain('4 heads of 12, 2 for keys and values');
  expect(llama.stdout).toContain('source Softmax val_442: float32 [batch, 4, sequence, past + sequence]');
});

test('gives the description as data, from which the text follows', () => {
  const { stdout, status } = run('tiny-gpt2', '--json');
  expect(status).toBe(0);
  const description = JSON.parse(stdout) as ModelDescription;
  expect(modelDescription.safeParse(description).error).toBeUndefined();
  expect(`${printTree(description)}\n`).toBe(run('tiny-gpt2').stdout);
});

test.each([
  [['./nothing'], 'model_not_found'],
  [['tiny-gpt'], 'Did you mean the embedded model tiny-gpt2?'],
  [['tiny-gpt2', '--module', 'transformer.h.0.atn'], 'Did you mean transformer.h.0.attn?'],
])('refuses %j', (args, message) => {
  const { stderr, stdout, status } = run(...args);
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toContain(message);
});
