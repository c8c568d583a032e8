/** The explorer without a mouse, to a screen reader, in both schemes, and on a phone. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type TestServer } from '../support/server.ts';
import { cellAt, faultsByAxe, grid, launchBrowser, openExplorer } from './explorer-page.ts';

let server: TestServer;
let browser: Browser;
beforeAll(async () => {
  server = await startServer();
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
  await server.stop();
});

const SLOW = { timeout: 120_000 };
const TABS = ['Logit lens', 'Attention', 'Norms', 'Continuation', 'Modules'];

/** Each view with an experiment beside it and its code unfolded. */
async function* views(page: Page): AsyncGenerator<string> {
  await grid(page, 'Logit lens').waitFor();
  await cellAt(grid(page, 'Logit lens'), 2, 3).click();
  await page.locator('.distribution').waitFor();
  for (const name of TABS) {
    await page.getByRole('tab', { name }).click();
    await page.locator('.view').waitFor();
    if (name === 'Attention') await page.getByRole('button', { name: 'Head 1' }).click();
    if (name === 'Norms') await page.locator('.chart').waitFor();
    if (name === 'Continuation') await page.locator('.runs li.completed b', { hasText: name }).waitFor();
    await page.locator('details.code').evaluateAll((all) => {
      for (const details of all) (details as HTMLDetailsElement).open = true;
    });
    yield name;
  }
}

describe.each(['light', 'dark'] as const)('in the %s scheme', (colorScheme) => {
  it('axe finds no fault in any view', SLOW, async () => {
    const { page, close } = await openExplorer(browser, server.url, { colorScheme });
    for await (const name of views(page))
      expect({ name, faults: await faultsByAxe(page) }).toEqual({ name, faults: [] });
    await close();
  });

  it('axe would find some', async () => {
    const { page, close } = await openExplorer(browser, server.url, { colorScheme });
    await grid(page, 'Logit lens').waitFor();
    await page.evaluate(
      (faint) => {
        const cell = document.querySelector('.heat td.h0');
        if (cell instanceof HTMLElement) cell.style.color = faint;
        document.querySelector('label[for="prompt"]')?.remove();
      },
      colorScheme === 'light' ? '#dddddd' : '#333333',
    );
    const rules = (await faultsByAxe(page)).map((fault) => fault.split(':')[0]);
    expect(new Set(rules)).toEqual(new Set(['color-contrast', 'label', 'label-title-only']));
    await close();
  });

  it('the ground is of that scheme', async () => {
    const { page, close } = await openExplorer(browser, server.url, { colorScheme });
    const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const [red = 0] = (/\d+/.exec(ground) ?? []).map(Number);
    expect(red > 128).toBe(colorScheme === 'light');
    await close();
  });
});

describe('on a phone', () => {
  it('no view is wider than the page', SLOW, async () => {
    const viewport = { width: 360, height: 740 };
    const { page, close } = await openExplorer(browser, server.url, {
      viewport,
      hasTouch: true,
      isMobile: true,
    });
    for await (const name of views(page)) {
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      expect({ name, width }).toEqual({ name, width: viewport.width });
    }
    await close();
  });

  it('what is chosen brings its experiment into view, which stands below', async () => {
    const { page, close } = await openExplorer(browser, server.url, {
      viewport: { width: 360, height: 740 },
      hasTouch: true,
      isMobile: true,
    });
    await grid(page, 'Logit lens').waitFor();
    await cellAt(grid(page, 'Logit lens'), 1, 1).tap();
    await expect
      .poll(() =>
        page
          .locator('.experiment h2')
          .evaluate((title) => title.getBoundingClientRect().bottom <= window.innerHeight),
      )
      .toBe(true);
    await close();
  });
});

describe('by keyboard alone', () => {
  it('goes from the page’s head to a cell, ablates there, and copies the code', async () => {
    const { page, close } = await openExplorer(browser, server.url);
    await grid(page, 'Logit lens').waitFor();
    const focused = (): Promise<string> =>
      page.evaluate(() => {
        const element = document.activeElement;
        return element?.getAttribute('aria-label') ?? element?.textContent?.trim() ?? '';
      });
    const stops: string[] = [];
    for (let count = 0; count < 12 && !stops.at(-1)?.startsWith('Block'); count++) {
      await page.keyboard.press('Tab');
      stops.push(await focused());
    }
    expect(stops.map((stop) => stop.replace(/^(Block \d+|tiny-gpt2).*/s, '$1'))).toEqual([
      'Skip to the workbench',
      'tiny-gpt2',
      '',
      'Run',
      'Logit lens',
      'Block 5',
    ]);
    // The focus can be seen.
    const outline = await page.evaluate(
      () => getComputedStyle(document.activeElement as Element).outlineStyle,
    );
    expect(outline).toBe('solid');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowLeft');
    expect(await focused()).toMatch(/^Block 4, after “ city”/);
    await page.keyboard.press('Home');
    expect(await focused()).toMatch(/^Block 4, after “The”/);
    await page.keyboard.press('Control+End');
    expect(await focused()).toMatch(/^Block 5, after “ of”/);
    await page.keyboard.press('PageUp');
    await page.keyboard.press('PageUp');
    expect(await focused()).toMatch(/^Block 0, after “ of”/);
    await page.keyboard.press('Enter');
    await page.locator('.distribution').waitFor();
    expect(await page.getByRole('heading', { name: 'Block 0 at ·of' }).count()).toBe(1);
    // One stop for the table: the next is the code below it.
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Code of the logit lens');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Copy');
    await close();
  });

  it('changes views with the arrows', async () => {
    const { page, close } = await openExplorer(browser, server.url);
    await page.getByRole('tab', { name: 'Logit lens' }).focus();
    await page.keyboard.press('ArrowLeft');
    expect(await page.getByRole('tab', { selected: true }).innerText()).toBe('Modules');
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowRight');
    expect(await page.getByRole('tab', { selected: true }).innerText()).toBe('Attention');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('tab-attention');
    await close();
  });
});

it('moves nothing for those who want no motion', async () => {
  const { page, close } = await openExplorer(browser, server.url, { reducedMotion: 'reduce' });
  const name = await page.evaluate(() => {
    const bar = document.body.appendChild(document.createElement('progress'));
    return getComputedStyle(bar).animationName;
  });
  expect(name).toBe('none');
  await close();
});
