import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ModelFiles } from './intake/files.ts';
import { Tokenizer } from './tokenizer.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'tracewire-tokenizer-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A tokenizer of the words `red` and `blue`, and of what the model names besides. */
function ofWords(model: object): Promise<Tokenizer> {
  const file = path.join(folder, 'tokenizer.json');
  writeFileSync(
    file,
    JSON.stringify({
      version: '1.0',
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: { type: 'Whitespace' },
      post_processor: null,
      decoder: null,
      model: { type: 'WordLevel', vocab: { '[UNK]': 0, red: 1, blue: 2 }, ...model },
    }),
  );
  return Tokenizer.load({ tokenizer: file } as ModelFiles);
}

describe('a word that the vocabulary has not', () => {
  it('is the unknown token where tokenizer.json names one', async () => {
    const tokenizer = await ofWords({ unk_token: '[UNK]' });
    expect(tokenizer.encode('red green blue').ids).toEqual([1, 0, 2]);
  });

  it('is refused by its name where nothing stands for the unknown', async () => {
    const tokenizer = await ofWords({});
    expect(() => tokenizer.encode('red green')).toThrow(/no token for “green”/);
    expect(tokenizer.encode('blue red').ids).toEqual([2, 1]);
  });
});
