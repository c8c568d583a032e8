/** The explorer in Debian's Chromium, over a real server. */
import axe from 'axe-core';
import type { BrowserContextOptions, Locator, Page } from 'playwright-core';
import { type Browser, chromium } from 'playwright-core';
import { EXECUTABLE, QUIET } from './page.ts';

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: EXECUTABLE, args: QUIET });
}

export interface ExplorerPage {
  readonly page: Page;
  /** What the page logged as errors, and what it threw. */
  readonly complaints: readonly string[];
  close(): Promise<void>;
}

/** Opens the page at `ws://…`'s own address, and waits for nothing. */
export async function openExplorer(
  browser: Browser,
  url: string,
  options: BrowserContextOptions & { readonly model?: string } = {},
): Promise<ExplorerPage> {
  const { model, ...rest } = options;
  const context = await browser.newContext({ viewport: { width: 1360, height: 900 }, ...rest });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  await page.goto(url.replace(/^ws/, 'http') + (model === undefined ? '' : `/#/${model}`));
  return { page, complaints, close: () => context.close() };
}

/** What axe finds wrong, by rule, with the elements. */
export async function faultsByAxe(page: Page): Promise<string[]> {
  // The page's policy lets in no inline script; the debugger's evaluation is none.
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: {
        run(
          options: object,
        ): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }>;
      };
    };
    const { violations } = await axe.run({ resultTypes: ['violations'] });
    return violations.flatMap(({ id, nodes }) =>
      nodes.slice(0, 3).map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
    );
  });
}

export const grid = (page: Page, name: string | RegExp): Locator => page.getByRole('grid', { name });
export const cellAt = (table: Locator, row: number, column: number): Locator =>
  table.locator(`td[data-row="${row}"][data-column="${column}"]`);

/** The program under a view, as its button copies it. */
export async function copyCode(page: Page, of: string): Promise<string> {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  const details = page.locator('details.code', { hasText: `Code of ${of}` });
  if (!(await details.evaluate((element) => (element as HTMLDetailsElement).open)))
    await details.locator('summary').click();
  await details.getByRole('button', { name: 'Copy' }).click();
  await details.getByText('Copied.').waitFor();
  return page.evaluate(() => navigator.clipboard.readText());
}

/** Rows of the table of next tokens, by token id: probabilities, unchanged and changed. */
export async function distribution(page: Page): Promise<Map<number, readonly [number, number]>> {
  const rows = page.locator('.distribution tbody tr');
  await rows.first().waitFor();
  const read = await rows.evaluateAll((all) =>
    all.map((row) => [
      Number((row as HTMLElement).dataset['token']),
      ...[...row.querySelectorAll('td')].map((cell) => Number(cell.dataset['share'])),
    ]),
  );
  return new Map(read.map(([id = 0, plain = 0, changed = 0]) => [id, [plain, changed] as const]));
}
