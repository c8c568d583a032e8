/**
 * `npm run bench:protocol`: what the wire costs. Bytes on the wire, a tensor's way through the codec, a graph's, and a
 * large value's over loopback; each against what else one could do, measured in turn in one run. `--rounds`, and
 * `--only` for one part: `sizes`, `tensor`, `graph` or `loopback`.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { benchGraph } from './protocol-graph.ts';
import { benchLoopback } from './protocol-loopback.ts';
import { benchTensor, reportSizes } from './protocol-tensor.ts';

const { values: options } = parseArgs({
  options: { rounds: { type: 'string', default: '30' }, only: { type: 'string' } },
});
const rounds = Number(options.rounds);
const PARTS = { sizes: reportSizes, tensor: benchTensor, graph: benchGraph, loopback: benchLoopback };

console.log(
  `${cpus().length} cores (${cpus()[0]?.model.trim()}), Node ${process.version}; ${rounds} rounds in turn\n`,
);
for (const [name, part] of Object.entries(PARTS)) {
  if (options.only === undefined || options.only === name) await part(rounds);
}
