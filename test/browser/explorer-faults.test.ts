/** What the explorer says when things go wrong, and that it goes on afterwards. */
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  launch,
  makeKey,
  ROOT,
  runCli,
  startServer,
  type TestServer,
  TINY_LLAMA,
} from '../support/server.ts';
import { cellAt, copyCode, grid, launchBrowser, openExplorer } from './explorer-page.ts';

/** Models are prepared and loaded meanwhile. */
const WAIT_MS = 60_000;
const SLOW = { timeout: 180_000 };

let browser: Browser;
const folder = mkdtempSync(path.join(tmpdir(), 'tracewire-explorer-'));
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

const alert = (page: Page): Promise<string> => page.getByRole('alert').first().innerText();

describe('the server', () => {
  it('is gone: the page says so, keeps what it shows, and goes on when it is back', {
    timeout: 60_000,
  }, async () => {
    const server = await startServer();
    const { port } = new URL(server.url);
    const { page, close } = await openExplorer(browser, server.url);
    await grid(page, 'Logit lens').waitFor();
    server.process.kill('SIGKILL');
    await page.getByText(/does not answer/).waitFor();
    expect(await alert(page)).toMatch(/Start it again with tracewire serve/);
    expect(await grid(page, 'Logit lens').count()).toBe(1);
    // What is asked for now fails in words, with a way to try again.
    await cellAt(grid(page, 'Logit lens'), 2, 2).click();
    const failed = page.locator('.experiment').getByRole('alert');
    await failed.waitFor({ timeout: 30_000 });
    expect(await failed.innerText()).toMatch(/See that the server runs/);
    const again = await launch({}, '--port', port);
    await page.getByText(/does not answer/).waitFor({ state: 'detached', timeout: 15_000 });
    await failed.getByRole('button', { name: 'Try again' }).click();
    await page.locator('.distribution').waitFor();
    await close();
    await again.stop();
  });

  it(
    'is reached by an address of the network: its own page may use it, and the code can be had without the clipboard',
    SLOW,
    async () => {
      const server = await launch({}, '--host', '0.0.0.0', '--no-keys');
      const [address = '127.0.0.1'] = Object.values(networkInterfaces()).flatMap((all = []) =>
        all.flatMap(({ family, internal, address }) => (family === 'IPv4' && !internal ? [address] : [])),
      );
      const { page, close } = await openExplorer(browser, server.url.replace('0.0.0.0', address));
      await grid(page, 'Logit lens').waitFor();
      if (!(await page.evaluate(() => isSecureContext))) {
        await page.getByText('Code of the logit lens').click();
        await page.getByRole('button', { name: 'Copy' }).click();
        await page.getByText(/The code is selected/).waitFor();
        expect(await page.evaluate(() => getSelection()?.toString())).toMatch(
          /^import { LanguageModel }.*close\(\);\s*$/s,
        );
      }
      await close();
      await server.stop();
    },
  );

  it('hangs: the page does not, and a run can be given up and tried again', SLOW, async () => {
    const server = await startServer();
    const { page, close } = await openExplorer(browser, server.url);
    await grid(page, 'Logit lens').waitFor();
    server.process.kill('SIGSTOP');
    await cellAt(grid(page, 'Logit lens'), 2, 2).click();
    await page.getByRole('button', { name: /^Cancel Ablate block 2/ }).click();
    const given = page.locator('.experiment').getByRole('alert');
    await given.waitFor();
    expect(await given.innerText()).toMatch(/cancelled/);
    await page.getByText(/does not answer/).waitFor();
    await page.getByRole('tab', { name: 'Modules' }).click();
    await page.locator('.tree').waitFor();
    await page.getByRole('tab', { name: 'Logit lens' }).click();
    server.process.kill('SIGCONT');
    await page.getByText(/does not answer/).waitFor({ state: 'detached' });
    await cellAt(grid(page, 'Logit lens'), 3, 3).click();
    await page.locator('.distribution').waitFor();
    await close();
    await server.stop();
  });

  it(
    'wants a key: the page asks for it, says what is wrong with a wrong one, and never shows it',
    SLOW,
    async () => {
      const file = path.join(folder, 'keys.json');
      const key = await makeKey(file, 'page');
      const server = await startServer('--keys', file);
      const { page, close } = await openExplorer(browser, server.url);
      await page.getByRole('heading', { name: 'This server wants a key' }).waitFor();
      await page.getByLabel('Key').fill(`${key}x`);
      await page.getByRole('button', { name: 'Use the key' }).click();
      await page.getByRole('alert').waitFor();
      expect(await alert(page)).toMatch(/mistyped, revoked/);
      await page.getByLabel('Key').fill(key);
      await page.keyboard.press('Enter');
      await grid(page, 'Logit lens').waitFor();
      const program = await copyCode(page, 'the logit lens');
      expect(program).toContain('TRACEWIRE_KEY');
      expect(program).not.toContain(key);
      expect(await page.content()).not.toContain(key);
      // It lasts as long as the tab.
      await page.reload();
      await grid(page, 'Logit lens').waitFor();
      // Revoked, it is worth nothing from then on.
      await runCli('keys', 'revoke', 'page', '--keys', file);
      await page.getByRole('alert').waitFor();
      expect(await alert(page)).toMatch(/mistyped, revoked/);
      expect(await grid(page, 'Logit lens').count()).toBe(0);
      await page.getByLabel('Key').fill(await makeKey(file, 'other'));
      await page.keyboard.press('Enter');
      await grid(page, 'Logit lens').waitFor();
      await page.getByRole('button', { name: 'Forget the key' }).click();
      await page.getByRole('heading', { name: 'This server wants a key' }).waitFor();
      expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
      await close();
      await server.stop();
    },
  );
});

describe('a prompt', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server.stop());

  it('that is too long gets a sentence; a shorter one runs', async () => {
    const { page, close } = await openExplorer(browser, server.url);
    await grid(page, 'Logit lens').waitFor();
    await page.getByLabel('Prompt').fill('a '.repeat(400));
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await page.getByRole('alert').waitFor();
    expect(await alert(page)).toMatch(/has 401 tokens; tiny-gpt2 takes at most 256. Shorten the prompt/);
    await page.getByLabel('Prompt').fill('The Colosseum');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').waitFor({ state: 'detached' });
    await grid(page, 'Logit lens').waitFor();
    await close();
  });

  it('that is long is shown in parts', async () => {
    const { page, close } = await openExplorer(browser, server.url);
    await page.getByLabel('Prompt').fill('The Eiffel Tower is in the city of Paris. '.repeat(5));
    await page.keyboard.press('Enter');
    await page.getByText(/Tokens \d+ to \d+ of \d+/).waitFor();
    await page.getByRole('button', { name: 'Earlier' }).click();
    await page.getByRole('button', { name: 'Earlier' }).click();
    await page.getByText(/Tokens 0 to 31 of/).waitFor();
    await grid(page, 'Logit lens').waitFor();
    expect(await cellAt(grid(page, 'Logit lens'), 5, 0).getAttribute('aria-label')).toMatch(/after “The”/);
    await close();
  });

  it('with markup is text', async () => {
    const { page, close, complaints } = await openExplorer(browser, server.url);
    await page.getByLabel('Prompt').fill('<img src=x onerror=alert(1)>');
    await page.keyboard.press('Enter');
    await page.locator('.tokens code', { hasText: '<' }).first().waitFor();
    await grid(page, 'Logit lens').waitFor();
    expect(await page.locator('img').count()).toBe(0);
    expect(complaints).toEqual([]);
    await close();
  });
});

describe('a model', () => {
  it('that can’t be loaded any more: the page says why, and another model works', SLOW, async () => {
    const [llama, cache] = [path.join(folder, 'llama'), path.join(folder, 'cache')];
    cpSync(TINY_LLAMA, llama, { recursive: true });
    // No room: each model is loaded when it is wanted.
    const server = await launch({}, 'tiny-gpt2', llama, '--memory', '1KiB', '--cache', cache);
    rmSync(path.join(llama, 'model.onnx'));
    rmSync(await preparedFolder(cache, server.url, 'llama'), { recursive: true });
    const { page, close } = await openExplorer(browser, server.url, { model: 'llama' });
    await page.getByRole('alert').first().waitFor({ timeout: WAIT_MS });
    expect(await alert(page)).toMatch(/model\.onnx/);
    expect(await alert(page)).toMatch(/Whoever runs the server must mend or replace the model’s folder/);
    cpSync(TINY_LLAMA, llama, { recursive: true });
    await page.getByRole('button', { name: 'Try again' }).first().click();
    await grid(page, 'Logit lens').waitFor({ timeout: WAIT_MS });
    await page.getByRole('button', { name: /^tiny-gpt2/ }).click();
    await cellAt(grid(page, 'Logit lens'), 5, 0).waitFor({ timeout: WAIT_MS });
    await close();
    await server.stop();
  });

  it('with fused attention and no cache: each view says what can’t be had, the others work', {
    timeout: 60_000,
  }, async () => {
    const fused = path.join(folder, 'fused');
    cpSync(path.join(ROOT, 'test/fixtures/matrix/llama/builder-fp32'), fused, { recursive: true });
    writeFileSync(path.join(fused, 'tokenizer.json'), JSON.stringify(wordTokenizer(96)));
    const server = await startServer(fused);
    const { page, close } = await openExplorer(browser, server.url);
    await page.getByLabel('Prompt').fill('w1 w2 w3');
    await page.keyboard.press('Enter');
    await grid(page, 'Logit lens').waitFor({ timeout: WAIT_MS });
    await page.getByRole('tab', { name: 'Attention' }).click();
    await page.getByText(/unavailable: fused/).waitFor();
    await page.getByRole('tab', { name: 'Norms' }).click();
    await grid(page, 'Residual norms').waitFor();
    await close();
    await server.stop();
  });
});

/** Where a model lies in the cache: the folder has the model's id as its name. */
async function preparedFolder(cache: string, url: string, name: string): Promise<string> {
  const response = await fetch(`${url.replace(/^ws/, 'http')}/v2/models/${name}`);
  const { versions } = (await response.json()) as { versions: string[] };
  const hash = versions[0]?.replace('sha256:', '') ?? '';
  const found = readdirSync(cache, { recursive: true, encoding: 'utf8' }).find((entry) =>
    entry.endsWith(hash),
  );
  if (found === undefined) throw new Error(`${name} is not in ${cache}`);
  return path.join(cache, found);
}

/** Words with numbers, `w0` to `w95`, for a model that was exported without a tokenizer. */
function wordTokenizer(size: number) {
  return {
    version: '1.0',
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: 'Whitespace' },
    post_processor: null,
    decoder: null,
    model: {
      type: 'WordLevel',
      vocab: Object.fromEntries(Array.from({ length: size }, (_, id) => [`w${id}`, id])),
      unk_token: 'w0',
    },
  };
}
