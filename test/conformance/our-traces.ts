/**
 * The conformance suite's traces with our client, in Node or in a browser: runs the named one and gives the lines to
 * print (docs/CONFORMANCE.md). The client comes as an argument, for a page loads it in its own way.
 */
import type {
  GeneratedToken,
  LanguageModel,
  LogEvent,
  Saved,
  SavedValue,
  Session,
  StepTrace,
  Tensor,
  Trace,
} from '@tracewire/client';

type Client = typeof import('@tracewire/client');

/** The function y = x + x, as docs/CONFORMANCE.md has it. */
const DOUBLE = Uint8Array.from(
  (
    '080a12003a370a0e0a01780a017812017922034164641201675a100a0178120b0a09080112050a0312016e' +
    '62100a0179120b0a09080112050a0312016e42040a001015'
  ).match(/../g) ?? [],
  (byte) => Number.parseInt(byte, 16),
);

/** Two traces, of which the second takes a value that the first made. */
function session(s: Session): Record<string, Saved<SavedValue>> {
  const first = s.trace([0, 1], (m) => {
    const h0 = m.get('h.0').output;
    return { h0: h0.save(), a: m.constant([1, 2, 3], 'uint8').save(), onwards: h0 };
  });
  const second = s.trace([0, 1], (m) => ({
    'h.1': m.get('h.1').output.save(),
    earlier: first.onwards.save(),
    b: m.constant(0.5, 'float64').save(),
  }));
  return { 'h.0': first.h0, a: first.a, ...second };
}

/** What a generation saves: a module in each step, and another in a step that may never come. */
const generation = (m: StepTrace) => ({
  'h.0': m.all().get('h.0').output.save(),
  late: m.iter(3).get('h.1').output.save(),
});

/** The saves of each trace, by the names under which they are printed. */
const TRACES: Readonly<
  Record<string, (m: Trace, model: LanguageModel) => Record<string, Saved<SavedValue>>>
> = {
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
  function: (m, model) => ({
    double: model
      .fn(DOUBLE)(m.constant([1, 2, 3]))
      .save(),
  }),
  log: (m) => {
    m.log('seen', m.get('h.0').output);
    return {};
  },
};

/** Runs one trace on the model `demo`. An error of any kind is a line too; nothing is thrown. */
export async function linesOf(client: Client, url: string, name: string): Promise<object[]> {
  const codeOf = (error: unknown): string =>
    error instanceof client.TracewireError ? error.code : `no error of the client's: ${String(error)}`;
  const outcome = async (save: string, saved: Saved<SavedValue>): Promise<object> => {
    if (saved.error) return { save, error: saved.error.code };
    return { save, ...(await shown(saved.value)) };
  };
  const model = new client.LanguageModel('demo', { url });
  const logs: LogEvent[] = [];
  const generated = async (): Promise<object[]> => {
    const generating = model.generate([0, 1], { maxNewTokens: 5 }, generation);
    const tokens: GeneratedToken[] = [];
    for await (const token of generating) tokens.push(token);
    const { saved, end, steps } = await generating;
    const values = [...saved['h.0'].steps].map(async ([step, each]) => ({
      step,
      ...(await outcome('h.0', each)),
    }));
    return [
      ...tokens.map(({ id, step, text }) => ({ token: id, step, text })),
      ...(await Promise.all([...values, outcome('late', saved.late)])),
      { end, steps },
    ];
  };
  try {
    if (name === 'generation') return await generated();
    const trace = TRACES[name];
    if (!trace && name !== 'session') throw new Error(`There is no trace ${name}.`);
    const saves = trace
      ? await model.trace([0, 1], { onLog: (event) => void logs.push(event) }, (m) => trace(m, model))
      : await model.session(session);
    const printed = logs.map(async ({ text, value }) => ({ log: text, ...(value && (await shown(value))) }));
    return await Promise.all([
      ...Object.entries(saves).map(([save, saved]) => outcome(save, saved)),
      ...printed,
    ]);
  } catch (error) {
    return [{ error: codeOf(error) }];
  } finally {
    await model.close();
  }
}

async function shown(value: SavedValue): Promise<object> {
  if (isTuple(value)) return { tuple: await Promise.all(value.map(shown)) };
  const { dtype, dims, data } = value;
  const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const sha256 = Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return { dtype, dims, sha256 };
}

const isTuple = (value: SavedValue): value is Exclude<SavedValue, Tensor> => Array.isArray(value);
