/** What the explorer shows as code is what it runs: each recipe's program, run by Node as it is copied, gives the same numbers. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

import { afterAll, expect, it } from 'vitest';
import { programOf } from '../../server/explorer/src/program.ts';
import type { Model } from '../../server/explorer/src/recipe.ts';
import { ablateBlock } from '../../server/explorer/src/recipes/ablate-block.js';
import { ablatePart } from '../../server/explorer/src/recipes/ablate-part.js';
import { attentionPatterns } from '../../server/explorer/src/recipes/attention.js';
import { continuation } from '../../server/explorer/src/recipes/continuation.js';
import { cutAttention } from '../../server/explorer/src/recipes/cut-attention.js';
import { logitLens } from '../../server/explorer/src/recipes/logit-lens.js';
import { modules } from '../../server/explorer/src/recipes/modules.js';
import { residualNorms } from '../../server/explorer/src/recipes/norms.js';
import { patch } from '../../server/explorer/src/recipes/patch.js';
import { silenceHead } from '../../server/explorer/src/recipes/silence-head.js';
import { steer } from '../../server/explorer/src/recipes/steer.js';
import { modelOn, served } from '../support/served.ts';
import { ROOT } from '../support/server.ts';
import { plain, reporting } from './copied.ts';

/** Inside the workspace, so that the program finds the client as its users' programs do. */
const folder = mkdtempSync(path.join(ROOT, 'client/.copied-'));

afterAll(() => rmSync(folder, { recursive: true }));
const server = await served();
const model = modelOn(server);

const prompt = 'The Eiffel Tower is in "the city" of';
const window = { prompt, first: 1, end: 7 };
const [block, attention, head] = ['transformer.h.2', 'transformer.h.2.attn', 'lm_head'];
const next = { prompt, position: 3, top: 6, head };

type At = Readonly<Record<string, string | number>>;
const recipe = <A extends At>(
  file: string,
  run: (model: Model, at: A) => PromiseLike<unknown>,
  at: A,
  ...paths: (keyof A & string)[]
) => ({ file, at, paths, run: (traced: Model) => run(traced, at) });

const RECIPES = [
  recipe(
    'logit-lens',
    logitLens,
    { ...window, top: 3, blocks: 'transformer.h', norm: 'transformer.ln_f', head },
    'blocks',
    'norm',
    'head',
  ),
  recipe('attention', attentionPatterns, { ...window, attention }, 'attention'),
  recipe(
    'norms',
    residualNorms,
    { ...window, blocks: 'transformer.h', attention: 'attn', mlp: 'mlp' },
    'blocks',
    'attention',
    'mlp',
  ),
  recipe('continuation', continuation, { prompt, maxNewTokens: 4 }),
  recipe('ablate-block', ablateBlock, { ...next, block }, 'block', 'head'),
  recipe('ablate-part', ablatePart, { ...next, place: `${block}.mlp` }, 'place', 'head'),
  recipe(
    'patch',
    patch,
    { ...next, place: block, donor: "It's the Colosseum", donorPosition: 2 },
    'place',
    'head',
  ),
  recipe(
    'steer',
    steer,
    { ...next, place: block, toward: 'love', away: 'hate', strength: -1.5 },
    'place',
    'head',
  ),
  recipe(
    'cut-attention',
    cutAttention,
    { prompt, top: 6, head, attention, attentionHead: 1, from: 4, to: 0 },
    'attention',
    'head',
  ),
  recipe(
    'silence-head',
    silenceHead,
    { prompt, top: 6, head, attention, attentionHead: 1 },
    'attention',
    'head',
  ),
  recipe('modules', (traced: Model) => modules(traced), {}),
];

it.each(RECIPES)('$file', { timeout: 60_000 }, async ({ file, at, paths, run }) => {
  const source = readFileSync(path.join(ROOT, `server/explorer/src/recipes/${file}.js`), 'utf8');
  const program = programOf({ source, model: 'tiny-gpt2', url: server.url, keyed: false, at, paths });
  expect(program).not.toMatch(/\.get\(/);
  const script = path.join(folder, `${file}.mjs`);
  writeFileSync(script, reporting(program));
  const { stdout } = await promisify(execFile)(process.execPath, [script], { maxBuffer: 2 ** 26 });
  const ours = plain(await run(model as unknown as Model));
  expect(JSON.parse(stdout.slice(stdout.lastIndexOf('\n{') + 1))).toEqual({ result: ours });
});
