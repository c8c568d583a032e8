/**
 * Loaded into a gateway's process with `node --import`: tells what its event loop and memory do, a line every quarter of
 * a second, in the file that TRACEWIRE_PROBE names. On SIGUSR2 it does what the file beside that, `.ask`, says: `clock` puts
 * its clock on by TRACEWIRE_CLOCK milliseconds, `memory` tells what is left when all garbage is collected.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

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
  /** @param {object} more */
  const tell = (more = {}) => {
    const { rss, heapUsed, external } = process.memoryUsage();
    const resources = process.getActiveResourcesInfo().length;
    const at = performance.timeOrigin + performance.now();
    appendFileSync(file, `${JSON.stringify({ at, lags, rss, heapUsed, external, resources, ...more })}\n`);
    lags = [];
  };
  setInterval(tell, LINE_MS).unref();
  const asked = {
    clock() {
      const { now } = Date;
      const jump = Number(process.env['TRACEWIRE_CLOCK'] ?? 0);
      Date.now = () => now() + jump;
    },
    /** What the first collection lets go of may hold more: buffers are freed behind it. */
    async memory() {
      setFlagsFromString('--expose-gc');
      /** @type {() => void} */
      const collect = runInNewContext('gc');
      for (let n = 0; n < 3; n++) {
        collect();
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      tell({ collected: true });
    },
  };
  process.on('SIGUSR2', () => {
    const what = readFileSync(`${file}.ask`, 'utf8');
    if (what === 'clock' || what === 'memory') asked[what]();
  });
}
