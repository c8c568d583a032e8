import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { resolveModel, resolveModels } from './models.ts';

const folder = mkdtempSync(join(tmpdir(), 'tracewire-models-'));
const one = join(folder, 'one');
const other = join(folder, 'other', 'one');
const odd = join(folder, 'a=b');
mkdirSync(one);
mkdirSync(other, { recursive: true });
mkdirSync(odd);
writeFileSync(join(folder, 'model.onnx'), '');
afterAll(() => rmSync(folder, { recursive: true }));

describe('--model', () => {
  it('takes the embedded model by name, and by default', () => {
    const [model] = resolveModels([]);
    expect(model?.name).toBe('tiny-gpt2');
    expect(model?.folder).toMatch(/server.models.tiny-gpt2$/);
    expect(resolveModel('tiny-gpt2')).toEqual(model);
  });

  it('takes a folder, named by its last part, and NAME=FOLDER', () => {
    expect(resolveModel(`${one}/`)).toEqual({ name: 'one', folder: one });
    expect(resolveModel(`mine=${one}`)).toEqual({ name: 'mine', folder: one });
    expect(resolveModel(odd)).toEqual({ name: 'a=b', folder: odd });
  });

  it.each([
    ['a missing folder', join(folder, 'nothing'), 'model_not_found', 'nothing'],
    ['a missing folder with a name', `x=${join(folder, 'nothing')}`, 'model_not_found', 'nothing'],
    ['a file', join(folder, 'model.onnx'), 'model_not_found', 'is a file'],
    [
      'a name near an embedded one',
      'tiny-gtp2',
      'model_not_found',
      'Did you mean the embedded model tiny-gpt2?',
    ],
    ['no name', `=${one}`, 'bad_configuration', 'NAME=FOLDER'],
  ])('refuses %s', (_, value, code, text) => {
    expect(() => resolveModel(value)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(text) }),
    );
  });

  it('refuses two models of one name', () => {
    expect(() => resolveModels([one, other])).toThrow(
      expect.objectContaining({ code: 'bad_configuration', message: expect.stringContaining(other) }),
    );
    expect(resolveModels([one, `second=${other}`]).map(({ name }) => name)).toEqual(['one', 'second']);
  });
});
