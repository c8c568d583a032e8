/**
 * Takes the pictures of docs/EXPLORER.md: `npm run pictures -- --model FOLDER`, the folder being SmolLM2-135M's, for on a toy
 * they would mean nothing. A real server, a real Chromium.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { cellAt, grid, launchBrowser, openExplorer } from '../browser/explorer-page.ts';
import { ROOT, startServer } from '../support/server.ts';

const FOLDER = path.join(ROOT, 'docs/pictures');
const SLOW_MS = 120_000;

interface Picture {
  readonly name: string;
  readonly colorScheme: 'light' | 'dark';
  readonly viewport: { readonly width: number; readonly height: number };
  prepare(page: Page): Promise<void>;
}

const DESK = { width: 1240, height: 900 };
const PHONE = { width: 390, height: 844 };

const PICTURES: readonly Picture[] = [
  { name: 'explorer-lens', colorScheme: 'light', viewport: DESK, prepare: lensAndPatch },
  { name: 'explorer-dark', colorScheme: 'dark', viewport: DESK, prepare: lensAndPatch },
  { name: 'explorer-attention', colorScheme: 'light', viewport: DESK, prepare: attention },
  { name: 'explorer-norms', colorScheme: 'light', viewport: DESK, prepare: norms },
  { name: 'explorer-code', colorScheme: 'light', viewport: DESK, prepare: code },
  { name: 'explorer-phone', colorScheme: 'light', viewport: PHONE, prepare: phone },
];

async function lens(page: Page): Promise<void> {
  await grid(page, 'Logit lens').waitFor({ timeout: SLOW_MS });
}

/** The Colosseum's residual at the last token of “Tower”, where the subject is gathered. */
async function lensAndPatch(page: Page): Promise<void> {
  await lens(page);
  await cellAt(grid(page, 'Logit lens'), 10, 3).click();
  await page.getByRole('radio', { name: 'Patch' }).check();
  await page.getByLabel('At its token').waitFor({ timeout: SLOW_MS });
  await ended(page, 'Patch');
  await cellAt(grid(page, 'Logit lens'), 29, 8).hover();
}

async function attention(page: Page): Promise<void> {
  await lens(page);
  await page.getByRole('tab', { name: 'Attention' }).click();
  await page.getByRole('button', { name: 'Head 5' }).click({ timeout: SLOW_MS });
  await page.getByLabel('Without the first token').check();
  await cellAt(grid(page, /head 5$/), 8, 3).click();
  await ended(page, 'Cut');
}

async function norms(page: Page): Promise<void> {
  await lens(page);
  await page.getByRole('tab', { name: 'Norms' }).click();
  await page.locator('.chart').waitFor({ timeout: SLOW_MS });
}

async function code(page: Page): Promise<void> {
  await lens(page);
  await page.locator('details.code summary').first().click();
  await page.locator('details.code').first().scrollIntoViewIfNeeded();
}

async function phone(page: Page): Promise<void> {
  await lens(page);
}

async function ended(page: Page, what: string): Promise<void> {
  await page.locator('.runs li.completed b', { hasText: what }).first().waitFor({ timeout: SLOW_MS });
  await page.locator('.distribution').waitFor();
}

async function take(
  browser: Browser,
  url: string,
  { name, colorScheme, viewport, prepare }: Picture,
): Promise<void> {
  const { page, close } = await openExplorer(browser, url, { colorScheme, viewport });
  await prepare(page);
  const file = path.join(FOLDER, `${name}.png`);
  await page.screenshot({
    path: file,
    animations: 'disabled',
    fullPage: name === 'explorer-lens' || name === 'explorer-dark',
  });
  await close();
  console.log(path.relative(ROOT, file));
}

const { values } = parseArgs({ options: { model: { type: 'string' } } });
if (values.model === undefined)
  throw new Error('Give the folder of SmolLM2-135M: npm run pictures -- --model FOLDER');
mkdirSync(FOLDER, { recursive: true });
const server = await startServer(values.model);
const browser = await launchBrowser();
try {
  for (const picture of PICTURES) await take(browser, server.url, picture);
} finally {
  await browser.close();
  await server.stop();
}
