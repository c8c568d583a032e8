/**
 * Our client as the conformance suite starts it, and an example for other clients: connects to TRACEWIRE_URL, runs the
 * trace named by TRACEWIRE_SCENARIO, prints one JSON line for each save or error (docs/CONFORMANCE.md), ends with 0.
 */
import { createHash } from 'node:crypto';
import {
  LanguageModel,
  type Saved,
  type SavedValue,
  Tensor,
  type Trace,
  TracewireError,
} from '@tracewire/client';

const { TRACEWIRE_URL: url = '', TRACEWIRE_SCENARIO: scenario = '' } = process.env;

/** The saves of each trace, by the names under which they are printed. */
const TRACES: Readonly<Record<string, (m: Trace) => Record<string, Saved<SavedValue>>>> = {
  tutorial: (m) => {
    const saves = { 'h.1': m.get('h.1').output.save(), 'h.0': m.get('h.0').output.save() };
    m.get('h.0').output.stop();
    return saves;
  },
  one: (m) => ({ 'h.0': m.get('h.0').output.save() }),
  tuple: (m) => ({ mix: m.get('mix').output.save() }),
  constants: (m) => ({
    a: m.constant([1, 2, 3], 'uint8').save(),
    b: m.constant(0.5, 'float64').save(),
    c: m.constant([], 'float32').save(),
  }),
};

function printed(value: SavedValue): object {
  if (!(value instanceof Tensor)) return { tuple: value.map(printed) };
  const { dtype, dims, data } = value;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { dtype, dims, sha256: createHash('sha256').update(bytes).digest('hex') };
}

const codeOf = (error: unknown): string => (error instanceof TracewireError ? error.code : 'internal');

function outcome(save: string, saved: Saved<SavedValue>): object {
  try {
    return { save, ...printed(saved.value) };
  } catch (error) {
    return { save, error: codeOf(error) };
  }
}

const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const model = new LanguageModel('demo', { url });
try {
  const trace = TRACES[scenario];
  if (!trace) throw new Error(`There is no trace ${scenario}.`);
  const saves = await model.trace([0, 1], { onLog: () => undefined }, trace);
  for (const [save, saved] of Object.entries(saves)) print(outcome(save, saved));
} catch (error) {
  print({ error: codeOf(error) });
} finally {
  await model.close();
}
