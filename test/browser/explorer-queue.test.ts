/** The runs of others beside the page's own, live and with a way to cancel; and what a model that can't generate is said to be. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { LanguageModel, type TraceError } from '@tracewire/client';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeModel, encodeModel, type ModelProto } from '../../server/src/engine/onnx/schema.ts';
import { childrenOf } from '../support/processes.ts';
import { makeKey, startServer, TINY_GPT2 } from '../support/server.ts';
import { grid, launchBrowser, openExplorer } from './explorer-page.ts';

const SLOW = { timeout: 180_000 };

let browser: Browser;
const folder = mkdtempSync(path.join(tmpdir(), 'tracewire-explorer-queue-'));
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

const others = (page: Page, title: string): Locator =>
  page.getByRole('region', { name: title }).locator('li');
const logits = (model: LanguageModel) => model.trace('The', (m) => m.lm_head.output.slice(0, -1).save());
const codeOf = (run: Promise<unknown>): Promise<string> =>
  run.then(
    () => 'completed',
    (error: TraceError) => error.code,
  );

/** While the host stands still, what comes waits. */
async function standing<T>(pid: number, work: () => Promise<T>): Promise<T> {
  const hosts = childrenOf(pid);
  for (const host of hosts) process.kill(host, 'SIGSTOP');
  try {
    return await work();
  } finally {
    for (const host of hosts) process.kill(host, 'SIGCONT');
  }
}

describe('runs that the page did not start', () => {
  it('are listed while they go on, with their places, and can be cancelled', SLOW, async () => {
    const server = await startServer();
    const model = new LanguageModel('tiny-gpt2', { url: server.url });
    await model.describe();
    const { page, complaints, close } = await openExplorer(browser, server.url);
    await grid(page, 'Logit lens').waitFor();
    const list = others(page, 'Other runs on this server');
    expect(await list.count()).toBe(0);
    await standing(server.process.pid ?? 0, async () => {
      const runs = [logits(model), logits(model), logits(model)].map(codeOf);
      await list.nth(2).waitFor();
      expect(await list.locator('b').allInnerTexts()).toEqual(['tiny-gpt2', 'tiny-gpt2', 'tiny-gpt2']);
      const details = await list.locator('.run-detail').allInnerTexts();
      expect(details[0]).toMatch(/^running for \d+ s$/);
      expect(details[1]).toMatch(/^queued: 1 ahead, came \d+ s ago$/);
      expect(details[2]).toMatch(/^queued: 2 ahead, came \d+ s ago$/);
      // The page's own stands in its own list, and not here as well.
      await page.getByRole('tab', { name: 'Norms' }).click();
      await page
        .getByRole('region', { name: 'Runs of this page' })
        .getByText(/queued: 2 ahead/)
        .waitFor();
      await page.waitForTimeout(2000);
      expect(await list.count()).toBe(3);
      await list
        .nth(1)
        .getByRole('button', { name: /Cancel/ })
        .click();
      expect(await runs[1]).toBe('cancelled');
      await list.nth(2).waitFor({ state: 'detached' });
      expect(await list.nth(1).locator('.run-detail').innerText()).toMatch(/^queued: 1 ahead/);
      return runs;
    }).then(async (runs) => {
      expect(await Promise.all(runs)).toEqual(['completed', 'cancelled', 'completed']);
    });
    await page.locator('.chart').waitFor();
    await list.first().waitFor({ state: 'detached' });
    expect(complaints).toEqual([]);
    await close();
    await model.close();
    await server.stop();
  });

  it('are those of the page’s key alone', SLOW, async () => {
    const file = path.join(folder, 'keys.json');
    const [key, another] = [await makeKey(file, 'one'), await makeKey(file, 'other')];
    const server = await startServer('--keys', file);
    const [mine, theirs] = [key, another].map(
      (one) => new LanguageModel('tiny-gpt2', { url: server.url, key: one }),
    ) as [LanguageModel, LanguageModel];
    await Promise.all([mine.describe(), theirs.describe()]);
    const { page, close } = await openExplorer(browser, server.url);
    await page.getByLabel('Key').fill(key);
    await page.keyboard.press('Enter');
    await grid(page, 'Logit lens').waitFor();
    const list = others(page, 'Other runs of this key');
    await standing(server.process.pid ?? 0, async () => {
      const runs = [codeOf(logits(theirs)), codeOf(logits(theirs)), codeOf(logits(mine))];
      await list.first().waitFor();
      await page.waitForTimeout(2000);
      expect(await list.count()).toBe(1);
      expect(await list.first().locator('.run-detail').innerText()).toMatch(/^queued: \d ahead/);
      return runs;
    }).then((runs) => Promise.all(runs));
    await close();
    await Promise.all([mine.close(), theirs.close()]);
    await server.stop();
  });
});

describe('a model without a cache', () => {
  it('is said to be unable to go on, and starts no run for it', SLOW, async () => {
    const whole = path.join(folder, 'no-cache');
    cpSync(TINY_GPT2, whole, { recursive: true });
    const file = path.join(whole, 'model.onnx');
    const exported = decodeModel(readFileSync(file)) as ModelProto;
    exported.graph.output = exported.graph.output.filter(({ name }) => name === 'logits');
    writeFileSync(file, encodeModel(exported));
    const server = await startServer(whole);
    const { page, complaints, close } = await openExplorer(browser, server.url);
    await page.getByRole('tab', { name: 'Continuation' }).click();
    await page
      .getByText('This model can’t generate: it was exported without a cache of keys and values.')
      .waitFor();
    expect(await page.locator('.runs b', { hasText: 'Continuation' }).count()).toBe(0);
    expect(complaints).toEqual([]);
    await close();
    await server.stop();
  });
});
