/** The commands that run a model: `trace`, `lens`, `bench`; on a server, and in their own process. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromNpy } from '@tracewire/client';
import { afterAll, describe, expect, it } from 'vitest';
import { served } from '../../../test/support/served.ts';
import { CACHE, runCli } from '../../../test/support/server.ts';

const folder = mkdtempSync(join(tmpdir(), 'tracewire-use-'));
const PROMPT = 'The Eiffel Tower is in the city of';
afterAll(() => rmSync(folder, { recursive: true }));
const server = await served();

const remote = (...args: readonly string[]) => runCli(...args, '--url', server.url);

describe('tracewire trace', () => {
  it('saves places to .npy files, and stops early, the same on a server and here', async () => {
    const args = [
      'trace',
      '-p',
      PROMPT,
      '-s',
      'transformer.h.1',
      '-s',
      'transformer.h.1.mlp.input',
      '--stop',
      'transformer.h.1',
    ];
    const there = await remote(...args, '--out', join(folder, 'there'), '--json');
    const here = await runCli(...args, '--out', join(folder, 'here'), '--json', '--cache', CACHE);
    expect([there.code, here.code, there.stderr]).toEqual([0, 0, '']);
    const { saved, report } = JSON.parse(there.stdout);
    expect(report).toMatchObject({ stoppedAfter: 'transformer.h.1' });
    expect(report.modulesRun).toBeLessThan(report.modulesTotal / 2);
    expect(saved.map(({ place, dims }: { place: string; dims: number[] }) => [place, dims.length])).toEqual([
      ['transformer.h.1[0]', 3],
      ['transformer.h.1[1]', 4],
      ['transformer.h.1[2]', 4],
      ['transformer.h.1.mlp.input', 3],
    ]);
    const files = readdirSync(join(folder, 'there'));
    expect(files).toHaveLength(4);
    for (const file of files) {
      const bytes = readFileSync(join(folder, 'there', file));
      expect(fromNpy(bytes).dims[0], file).toBe(1);
      expect(bytes.equals(readFileSync(join(folder, 'here', file))), file).toBe(true);
    }
  });

  it('prints what it saved, or gives the numbers as JSON', async () => {
    const shown = await remote('trace', '-p', PROMPT, '-s', 'lm_head.output');
    expect(shown.stdout).toMatch(
      /^lm_head\.output = tensor\(\[\[\[[\s\S]*dims \[1, \d+, 1536\], float32\)\n\d+ tokens, \d+ of \d+ modules/,
    );
    const json = JSON.parse((await remote('trace', '-p', 'a', '-s', 'transformer.ln_f', '--json')).stdout);
    expect(json.values['transformer.ln_f'].data[0][0]).toHaveLength(128);
  });

  it.each([
    [
      'a wrong path',
      ['-s', 'transformer.h.0.atn'],
      1,
      /unknown_module: .*Did you mean transformer\.h\.0\.attn\?\n {2}see docs\/errors\/unknown_module\.md/,
    ],
    ['two wrong paths at once', ['-s', 'a.b', '-s', 'c.d'], 1, /"a\.b"[\s\S]*"c\.d"/],
    [
      'what the pass doesn’t reach',
      ['-s', 'lm_head', '--stop', 'transformer.h.0'],
      1,
      /lm_head: not_reached: Accessing value/,
    ],
    ['no place', ['-s', 'h[x]'], 2, /A place is wanted/],
    ['nothing to save', [], 2, /--save/],
    ['a wrong option', ['--sav', 'lm_head'], 2, /Did you mean --save\?/],
    ['a folder that can’t be made', ['-s', 'lm_head', '--out', '/dev/null/x'], 2, /Can’t write/],
  ])('with %s, says so', async (_, args, exit, message) => {
    const { code, stderr } = await remote('trace', '-p', PROMPT, ...args);
    expect([code, stderr]).toEqual([exit, expect.stringMatching(message)]);
    expect(stderr).not.toContain('/dist/');
  });
});

describe('tracewire lens', () => {
  it('shows where the fact appears', async () => {
    const { code, stdout } = await remote('lens', '-p', PROMPT, '--last', '2');
    const rows = stdout.trimEnd().split('\n');
    expect([code, rows.length]).toEqual([0, 7]);
    expect(rows[0]).toMatch(/^ +·city +·of$/);
    expect(rows[6]).toMatch(/^transformer\.h\.5 .*·Paris \d+%$/);
  });

  it('gives all as JSON, and asks for a module’s name where it knows none', async () => {
    const { tokens, blocks } = JSON.parse((await remote('lens', '-p', PROMPT, '--json')).stdout);
    expect(blocks).toHaveLength(6);
    expect(blocks[5].guesses).toHaveLength(tokens.length);
    expect(blocks[5].guesses.at(-1)).toEqual({ token: ' Paris', probability: expect.any(Number) });
    expect(blocks[5].guesses.at(-1).probability).toBeGreaterThan(0.5);
    const wrong = await remote('lens', '-p', PROMPT, '--norm', 'transformer.ln_ff');
    expect(wrong.stderr).toContain('Did you mean transformer.ln_f?');
  });
});

describe('tracewire bench', () => {
  it('measures what it says', async () => {
    const { code, stdout } = await remote('bench', '--rounds', '2', '--tokens', '8', '--json');
    const measured = JSON.parse(stdout);
    expect([code, measured.map(({ what }: { what: string }) => what)]).toEqual([
      0,
      [
        'round trip (tokenizer)',
        'whole pass, 8 tokens',
        'stopped after transformer.h.0',
        'whole pass, all logits back',
      ],
    ]);
    for (const { median, best, worst } of measured) {
      expect(best).toBeGreaterThan(0);
      expect(median).toBeGreaterThanOrEqual(best);
      expect(worst).toBeGreaterThanOrEqual(median);
    }
  });
});
