/** The explorer finds a model's parts by what they take and give, however its architecture names them. */
import path from 'node:path';
import { LanguageModel, type ModelDescription } from '@tracewire/client';
import { describe, expect, it } from 'vitest';
import { anatomyOf } from '../../server/explorer/src/anatomy.ts';
import { served } from '../support/served.ts';
import { ROOT, TINY_LLAMA } from '../support/server.ts';

const MATRIX = ['bert=bert/dynamo', 'vit=vit/dynamo', 'fused=llama/builder-fp32'].map((model) =>
  model.replace('=', `=${path.join(ROOT, 'test/fixtures/matrix')}/`),
);

const server = await served('tiny-gpt2', TINY_LLAMA, ...MATRIX);

async function describeModel(name: string): Promise<ModelDescription> {
  await using model = new LanguageModel(name, { url: server.url });
  return await model.describe();
}

describe('the anatomy', () => {
  it('of GPT-2', async () => {
    expect(anatomyOf(await describeModel('tiny-gpt2'))).toEqual({
      blocks: 'transformer.h',
      blockPaths: [0, 1, 2, 3, 4, 5].map((index) => `transformer.h.${index}`),
      norm: 'transformer.ln_f',
      head: 'lm_head',
      attention: 'attn',
      mlp: 'mlp',
      noAttention: undefined,
      heads: 4,
    });
  });

  it('of a Llama', async () => {
    expect(anatomyOf(await describeModel('tiny-llama'))).toMatchObject({
      blocks: 'model.layers',
      norm: 'model.norm',
      head: 'lm_head',
      attention: 'self_attn',
      mlp: 'mlp',
      noAttention: undefined,
    });
  });

  it('says what an image model lacks', async () => {
    expect(anatomyOf(await describeModel('vit'))).toEqual({ lacks: expect.stringContaining('vocabulary') });
  });

  it('says why fused attention can’t be seen', async () => {
    expect(anatomyOf(await describeModel('fused'))).toMatchObject({
      blocks: 'model.layers',
      noAttention: expect.stringContaining('unavailable: fused'),
    });
  });
});
