/**
 * `npm run bench`: does a trace keep to its aims? Each figure is a ratio, measured in turn in one run; against bare ONNX
 * Runtime, against the ideal, and with `--python` and `--checkpoint` against nnsight. `--model FOLDER` for another model
 * than tiny-gpt2; `--only` for some groups, with commas between them; `--json FILE` for the figures as data.
 */
import { cpus } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as ort from 'onnxruntime-node';
import { benchAgainstNnsight } from './against-nnsight.ts';
import { benchEarlyStop } from './early-stop.ts';
import { type Figure, printFigures, verdictOf, writeJson } from './figures.ts';
import { benchFullPass } from './full-pass.ts';
import { benchInvokes } from './invokes.ts';
import { benchMemory } from './memory.ts';
import { type NnsightPeer, startNnsight } from './nnsight-peer.ts';
import { openSetting, type Setting } from './setting.ts';
import { benchSlopes } from './slopes.ts';
import { benchWrites } from './writes.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const { values: options } = parseArgs({
  options: {
    model: { type: 'string', default: path.join(ROOT, 'server/models/tiny-gpt2') },
    checkpoint: { type: 'string' },
    python: { type: 'string' },
    rounds: { type: 'string', default: '20' },
    only: { type: 'string' },
    json: { type: 'string' },
  },
});
const cores = cpus().length;

/** Memory first: later groups leave their own cuts behind in the host. */
const GROUPS: Readonly<Record<string, (setting: Setting) => Promise<Figure[]>>> = {
  memory: benchMemory,
  writes: benchWrites,
  pass: benchFullPass,
  stop: async (setting) => [await benchEarlyStop(setting, 10), await benchEarlyStop(setting, 128)],
  slopes: benchSlopes,
  invokes: benchInvokes,
  nnsight: againstNnsight,
};

const setting = await openSetting(options.model, Number(options.rounds));
let peer: NnsightPeer | undefined;
const facts = {
  model: path.basename(options.model),
  cpu: `${cores} × ${cpus()[0]?.model.trim()}`,
  node: process.version,
  onnxruntime: ort.env.versions.node,
  rounds: setting.rounds,
};
console.log(
  Object.entries(facts)
    .map(([name, value]) => `${name} ${value}`)
    .join(', '),
);
const only = options.only?.split(',');
const found: Figure[] = [];
for (const [name, bench] of Object.entries(GROUPS)) {
  if (only && !only.includes(name)) continue;
  const figures = await bench(setting);
  printFigures(name, figures);
  found.push(...figures);
}
const count = (verdict: string): number => found.filter((figure) => verdictOf(figure) === verdict).length;
console.log(`\n${count('met')} met, ${count('missed')} missed`);
if (options.json !== undefined) writeJson(options.json, { ...facts, nnsight: peer?.facts }, found);
await peer?.stop();
await setting.close();

async function againstNnsight(setting: Setting): Promise<Figure[]> {
  if (options.python === undefined || options.checkpoint === undefined) {
    console.log('\nnnsight: not measured; give --python and --checkpoint.');
    return [];
  }
  peer = await startNnsight(options.python, options.checkpoint, cores);
  console.log(
    `\n${Object.entries(peer.facts)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')}`,
  );
  return benchAgainstNnsight(setting, peer);
}
