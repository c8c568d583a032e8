/**
 * Loaded into a gateway's process with `node --import`: tells what its event loop and memory do, a line every quarter of
 * a second, in the file that TRACEWIRE_PROBE names; and on SIGUSR2 puts its clock on by TRACEWIRE_CLOCK milliseconds.
 */
import { appendFileSync } from 'node:fs';

const file = process.env['TRACEWIRE_PROBE'];
const TICK_MS = 5;
const LINE_MS = 250;

if (file && process.argv.includes('serve')) {
  /** Milliseconds that a timer came late, one a tick. @type {number[]} */
  let lags = [];
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    lags.push(Math.max(0, now - last - TICK_MS));
    last = now;
  }, TICK_MS).unref();
  setInterval(() => {
    const { rss, heapUsed } = process.memoryUsage();
    const resources = process.getActiveResourcesInfo().length;
    appendFileSync(
      file,
      `${JSON.stringify({ at: performance.timeOrigin + performance.now(), lags, rss, heapUsed, resources })}\n`,
    );
    lags = [];
  }, LINE_MS).unref();
  process.on('SIGUSR2', () => {
    const { now } = Date;
    const jump = Number(process.env['TRACEWIRE_CLOCK'] ?? 0);
    Date.now = () => now() + jump;
  });
}
