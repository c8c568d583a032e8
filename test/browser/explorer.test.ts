/** The explorer as people use it: the numbers are the client's, and the code that is copied gives them again. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { LanguageModel, type Tensor } from '@tracewire/client';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reporting } from '../explorer/copied.ts';
import { ROOT, startServer, type TestServer, TINY_LLAMA } from '../support/server.ts';
import {
  cellAt,
  copyCode,
  distribution,
  type ExplorerPage,
  grid,
  launchBrowser,
  openExplorer,
} from './explorer-page.ts';

const PROMPT = 'The Eiffel Tower is in the city of';
const BLOCKS = 6;

let server: TestServer;
let browser: Browser;
let model: LanguageModel;
const folder = mkdtempSync(path.join(ROOT, 'client/.copied-'));

beforeAll(async () => {
  server = await startServer('tiny-gpt2', TINY_LLAMA);
  browser = await launchBrowser();
  model = new LanguageModel('tiny-gpt2', { url: server.url });
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await model.close();
  await browser.close();
  await server.stop();
});

/** Runs copied code with Node, and gives what it computed. */
async function runCopied(program: string): Promise<unknown> {
  const script = path.join(folder, 'trace.mjs');
  writeFileSync(script, reporting(program));
  const { stdout } = await promisify(execFile)(process.execPath, [script], { maxBuffer: 2 ** 26 });
  return (JSON.parse(stdout.slice(stdout.lastIndexOf('\n{') + 1)) as { result: unknown }).result;
}

const percentOf = (share: number): string => {
  if (share >= 0.9995) return '100%';
  return share >= 0.1 ? `${(share * 100).toFixed(0)}%` : `${(share * 100).toFixed(share >= 0.01 ? 1 : 2)}%`;
};

describe('the logit lens', () => {
  let explorer: ExplorerPage;
  beforeAll(async () => {
    explorer = await openExplorer(browser, server.url);
    await grid(explorer.page, 'Logit lens').waitFor();
  });
  afterAll(() => explorer.close());

  it('shows in each cell what the client computes', async () => {
    const lens = await model.trace(PROMPT, (m) =>
      Array.from(m.transformer.h, (block) => {
        const { values, indices } = m.lm_head(m.transformer.ln_f(block.output[0])).softmax().topK(1);
        return { values: values.save(), indices: indices.save() };
      }),
    );
    const { tokens } = await model.tokenizer.encode(PROMPT);
    const wanted: string[] = [];
    for (const [block, { values, indices }] of lens.entries()) {
      for (const position of tokens.keys()) {
        const text = await model.tokenizer.decode([Number(indices.value.at(0, position, 0))]);
        const share = percentOf(Number(values.value.at(0, position, 0)));
        wanted.push(`Block ${block}: “${text}”, ${share}`);
      }
    }
    const shown = await grid(explorer.page, 'Logit lens')
      .locator('td')
      .evaluateAll((cells) =>
        cells.map((cell) => (cell.getAttribute('aria-label') ?? '').replace(/, after “.*?”:/s, ':')),
      );
    expect(shown).toHaveLength(BLOCKS * tokens.length);
    expect(shown).toEqual(wanted);
  });

  it('shows five tokens with their probabilities for the cell under the pointer', async () => {
    const { page } = explorer;
    const cell = cellAt(grid(page, 'Logit lens'), 5, 11);
    await cell.hover();
    const readout = page.locator('.readout li');
    expect(await readout.count()).toBe(5);
    const name = await cell.getAttribute('aria-label');
    const [first = ''] = await readout.allInnerTexts();
    expect(name).toContain(first.split(/\s+/).at(-1));
    expect(first).toContain('·Paris');
  });

  it('gives code that computes the same in Node', async () => {
    const program = await copyCode(explorer.page, 'the logit lens');
    expect(program).toContain('m.lm_head(m.transformer.ln_f(hidden))');
    const rows = (await runCopied(program)) as { probabilities: { dims: number[]; data: number[] } }[];
    expect(rows).toHaveLength(BLOCKS);
    const labels = await grid(explorer.page, 'Logit lens')
      .locator('td')
      .evaluateAll((cells) => cells.map((cell) => cell.getAttribute('aria-label')?.split(', ').at(-1)));
    const shares = rows.flatMap(({ probabilities: { dims, data } }) =>
      data.filter((_, index) => index % (dims[2] ?? 1) === 0),
    );
    expect(shares.map(percentOf)).toEqual(labels);
  });

  it('ablates the cell that is clicked, and the distribution changes as the client says', async () => {
    const { page } = explorer;
    const [row, column] = [1, 11];
    await cellAt(grid(page, 'Logit lens'), row, column).click();
    const shown = await distribution(page);
    const { before, after } = await model.trace((t) => ({
      before: t.invoke(PROMPT, (m) => m.lm_head.output.slice(0, -1).softmax().save()),
      after: t.invoke(PROMPT, (m) => {
        const block = m.transformer.h[row as 1];
        block.output[0].slice(null, column).set(block.input.slice(null, column));
        return m.lm_head.output.slice(0, -1).softmax().save();
      }),
    }));
    const at = (tensor: Tensor, id: number): number => Number(tensor.data[id]);
    expect(shown.size).toBeGreaterThan(7);
    for (const [id, [plain, changed]] of shown) {
      expect(plain).toBeCloseTo(at(before.value, id), 6);
      expect(changed).toBeCloseTo(at(after.value, id), 6);
    }
    expect([...shown.values()].some(([plain, changed]) => Math.abs(plain - changed) > 0.001)).toBe(true);
    expect(await cellAt(grid(page, 'Logit lens'), row, column).getAttribute('aria-selected')).toBe('true');
  });

  it('patches and steers there, with code that computes the same', async () => {
    const { page } = explorer;
    for (const [action, of] of [
      ['Patch', 'donorPosition'],
      ['Steer', 'strength'],
    ] as const) {
      await page.getByRole('radio', { name: action }).check();
      await page.locator('.runs li.completed b', { hasText: action }).first().waitFor();
      const shown = await distribution(page);
      const program = await copyCode(page, 'the experiment');
      expect(program).toContain(`const ${of} = `);
      const { before } = (await runCopied(program)) as {
        before: Record<'tokens' | 'plain' | 'changed', { data: number[] }>;
      };
      for (const [index, id] of before.tokens.data.entries()) {
        const [plain, changed] = shown.get(id) ?? [before.plain.data[index], before.changed.data[index]];
        expect(plain).toBeCloseTo(before.plain.data[index] ?? -1, 6);
        expect(changed).toBeCloseTo(before.changed.data[index] ?? -1, 6);
      }
      expect([...shown.keys()].filter((id) => before.tokens.data.includes(id)).length).toBeGreaterThan(3);
    }
  });

  it('complains of nothing', () => {
    expect(explorer.complaints).toEqual([]);
  });
});

describe('the other views', () => {
  let explorer: ExplorerPage;
  beforeAll(async () => {
    explorer = await openExplorer(browser, server.url, { model: 'tiny-llama' });
    await grid(explorer.page, 'Logit lens').waitFor();
  });
  afterAll(() => explorer.close());

  it('attention is the client’s, and a cut connection is gone', async () => {
    const { page } = explorer;
    await page.getByRole('tab', { name: 'Attention' }).click();
    await page.getByRole('button', { name: 'Head 2' }).click();
    const table = grid(page, /head 2$/);
    const llama = new LanguageModel('tiny-llama', { url: server.url });
    const probabilities = await llama.trace(PROMPT, (m) =>
      m.model.layers[1].self_attn.source.attentionProbabilities.save(),
    );
    await llama.close();
    for (const [from, to] of [
      [3, 0],
      [5, 2],
      [6, 6],
    ] as const) {
      const [share, first] = [to, 0].map((at) => Number(probabilities.value.at(0, 2, from, at)));
      const said = (of: number): string => (of >= 0.005 ? `${(of * 100).toFixed(0)}%` : percentOf(of));
      const cell = cellAt(table, from, to);
      expect(await cell.getAttribute('aria-label')).toContain(`: ${said(share ?? 0)}`);
      await page.getByLabel('Without the first token').check();
      const rest = to === 0 ? 'left out' : said((share ?? 0) / (1 - (first ?? 0)));
      expect(await cell.getAttribute('aria-label')).toContain(`: ${rest}`);
      await page.getByLabel('Without the first token').uncheck();
    }
    // What a token can't look at has no colour, and no number.
    const future = cellAt(table, 2, 5);
    expect([await future.getAttribute('class'), await future.innerText()]).toEqual(['blank', '']);
    await cellAt(table, 6, 0).click();
    expect((await distribution(page)).size).toBeGreaterThan(7);
    const program = await copyCode(page, 'the experiment');
    expect(program).toContain('m.model.layers[1].self_attn.source');
    expect(program).toContain('.slice(null, attentionHead, from, to).set(0)');
  });

  it('norms are the client’s', async () => {
    const { page } = explorer;
    await page.getByRole('tab', { name: 'Norms' }).click();
    await grid(page, 'Residual norms').waitFor();
    const rows = (await runCopied(await copyCode(page, 'the norms'))) as { residual: { data: number[] } }[];
    const labels = await grid(page, 'Residual norms')
      .locator('tbody tr:last-child td')
      .evaluateAll((cells) =>
        cells.map((cell) => Number(cell.getAttribute('aria-label')?.split(': ').at(-1))),
      );
    for (const [index, norm] of (rows.at(-1)?.residual.data ?? []).entries()) {
      expect(Math.abs((labels[index] ?? 0) / norm - 1)).toBeLessThan(0.06);
    }
    expect(await page.locator('.chart polyline').count()).toBe(3);
  });

  it('a continuation is what the client generates', async () => {
    const { page } = explorer;
    await page.getByRole('tab', { name: 'Continuation' }).click();
    await page.locator('.runs li.completed b', { hasText: 'Continuation' }).waitFor();
    const { text } = (await runCopied(await copyCode(page, 'the continuation'))) as { text: string };
    expect(await page.locator('.prose mark').textContent()).toBe(text);
  });

  it('modules open to what each takes and gives', async () => {
    const { page } = explorer;
    await page.getByRole('tab', { name: 'Modules' }).click();
    for (const name of ['layers', '0', 'self_attn']) {
      await page
        .locator('.tree summary', { has: page.locator('code', { hasText: new RegExp(`^${name}$`) }) })
        .first()
        .click();
    }
    await page.locator('.tree li', { hasText: 'q_proj' }).last().waitFor();
    expect(await page.locator('.tree .leaf', { hasText: 'k_proj' }).innerText()).toContain(
      'float32 [batch, sequence, 24]',
    );
  });

  it('complains of nothing', () => {
    expect(explorer.complaints).toEqual([]);
  });
});
