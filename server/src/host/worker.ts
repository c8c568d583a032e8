/** The thread in which a model runs: takes the gateway's commands, drives the engine, sends its events. */
import { parentPort, workerData } from 'node:worker_threads';
import {
  chunksOf,
  decodeMessage,
  dispatch,
  type ErrorBody,
  encodeFrame,
  type Handlers,
  type MessageOf,
  PayloadWriter,
  tensorsOf,
  toErrorBody,
  type Value,
  valueBytes,
} from '@tracewire/protocol';
import type { FunctionOf } from '../engine/calls.ts';
import { Engine } from '../engine/engine.ts';
import { keepDescription } from '../engine/intake/kept-description.ts';
import type { OnProgress } from '../engine/intake/prepare.ts';
import type { RunListener } from '../engine/outcomes.ts';
import type { TraceWork } from '../engine/session.ts';
import { HostBlobs } from './blobs.ts';
import type { EngineThreadData } from './engine-thread.ts';
import { HeldTokens } from './held-tokens.ts';
import { joinRuns, payloadsOf } from './join.ts';
import { hostCommands, type hostEvents } from './messages.ts';
import { parted } from './parted.ts';
import { portTransport } from './port-transport.ts';

type Event = MessageOf<typeof hostEvents>;
type Load = MessageOf<typeof hostCommands, 'load'>;
type RunCommand = MessageOf<typeof hostCommands, 'run'>;

/** Progress is for people: a pass that ends sooner needs none, and each message costs as much as a small segment. */
const PROGRESS_MS = 50;
/** A log's value above this is left out: logs are for a glance. */
const LOG_VALUE_BYTES = 64 * 1024;

if (!parentPort) throw new Error('worker.ts runs as a worker thread only.');
const transport = portTransport(parentPort);
const flags = new Int32Array((workerData as EngineThreadData).cancelFlags);

type IsCancelled = () => boolean;
const kept = new HostBlobs();
let engine: Engine | undefined;
let chunkBytes = 0;
/** The pass that came last, and those before it. */
let last: Promise<void> = Promise.resolve();
let passes = 0;

const handlers: Handlers<typeof hostCommands> = {
  load: (message) => void load(message),
  run: (message, payload) =>
    inTurn((isCancelled) =>
      runWork(message, payload, isCancelled).catch((error: unknown) =>
        send({ type: 'done', run: message.run, state: 'failed', errors: [toErrorBody(error)] }),
      ),
    ),
  run_together: ({ run, runs }, payload) =>
    inTurn((isCancelled) =>
      runTogether(run, runs, payload, isCancelled).catch((error: unknown) =>
        send({ type: 'apart', run, error: toErrorBody(error) }),
      ),
    ),
  explain,
  // The flag that engine-thread.ts set has done it already.
  cancel: () => undefined,
  tokenize: ({ request, text }) =>
    answer(request, (loaded) => ({ type: 'tokens', request, ...loaded.tokenizer.encode(text) })),
  detokenize: ({ request, ids }) =>
    answer(request, (loaded) => ({ type: 'text', request, text: loaded.tokenizer.decode(ids) })),
};

transport.listen({
  message: (bytes) => dispatch(handlers, decodeMessage(hostCommands, bytes)),
  close: () => void engine?.release(),
});

const tokens = new HeldTokens<Event>((event) => post(event));

/** One pass at a time: what comes during one begins as soon as that has ended. */
function inTurn(pass: (isCancelled: IsCancelled) => Promise<void>): void {
  const flag = passes % flags.length;
  passes += 1;
  last = last.then(() => pass(() => Atomics.load(flags, flag) === 1));
}

function send(event: Event, payload: readonly Uint8Array[] = []): void {
  tokens.flush();
  post(event, payload);
}

function post(event: Event, payload: readonly Uint8Array[] = []): void {
  transport.send(encodeFrame(event as Event & { type: string }, payload));
}

async function load({ type: _, chunkBytes: bytes, describeOnly, ...options }: Load): Promise<void> {
  chunkBytes = bytes;
  const onProgress: OnProgress = (phase, done, total) => send({ type: 'loading', phase, done, total });
  try {
    if (!describeOnly) engine = await Engine.load(options, onProgress);
    const description = engine?.description ?? (await Engine.describe(options, onProgress));
    // Before it is told: the host of a description is ended as soon as it has told it.
    await keepDescription(options, description);
    send({ type: 'loaded', description });
  } catch (error) {
    send({ type: 'load_failed', error: toErrorBody(error, 'model_unsupported') });
  }
}

async function runWork(message: RunCommand, payload: Uint8Array, isCancelled: IsCancelled): Promise<void> {
  const { run, graph, generate, traces, blobs = [] } = message;
  if (!engine) return send({ type: 'done', run, state: 'failed', errors: [notLoaded()] });
  // While it waited for its turn.
  if (isCancelled()) return send({ type: 'done', run, state: 'cancelled' });
  const named = kept.of(blobs);
  const functionOf: FunctionOf = (sha256) => named.function(sha256);
  const tensors = tensorsOf(message, payload);
  const works = (traces ?? (graph ? [{ graph, generate }] : [])).map((trace, at): TraceWork => {
    const { constants, feeds } = tensors[at] ?? NO_TENSORS;
    return { ...trace, constants: new Map([...constants, ...named.constants(trace.graph)]), feeds };
  });
  if (traces) {
    const outcome = await engine.runSession(
      works,
      (trace) => listenerOf(run, trace),
      isCancelled,
      functionOf,
    );
    const reports = outcome.traces.map(({ state, errors, report }) => ({
      state,
      errors: listed(errors),
      report,
    }));
    return send({ type: 'done', run, state: outcome.state, errors: listed(outcome.errors), reports });
  }
  const [work] = works;
  if (!work) throw new Error('a run without a graph');
  const { state, errors, report } = await engine.run(
    work.graph,
    work.constants,
    listenerOf(run),
    isCancelled,
    work.feeds,
    generate,
    functionOf,
  );
  send({ type: 'done', run, state, errors: listed(errors), report });
}

const NO_TENSORS = { constants: new Map<number, never>(), feeds: [] };

const listed = (errors: readonly ErrorBody[]): ErrorBody[] | undefined =>
  errors.length > 0 ? errors.slice(0, 100) : undefined;

async function runTogether(
  pass: string,
  runs: MessageOf<typeof hostCommands, 'run_together'>['runs'],
  payload: Uint8Array,
  isCancelled: IsCancelled,
): Promise<void> {
  if (!engine) return send({ type: 'apart', run: pass, error: notLoaded() });
  const payloads = payloadsOf(
    payload,
    runs.map(({ bytes }) => bytes),
  );
  const joined = joinRuns(
    runs.map(({ graph }, index) => ({
      graph,
      constants: (tensorsOf({ graph }, payloads[index] ?? new Uint8Array())[0] ?? NO_TENSORS).constants,
    })),
  );
  const names = runs.map(({ run }) => run);
  const outcome = await engine.runTogether(
    joined,
    parted(joined.firsts, (index) => listenerOf(names[index] ?? '')),
    isCancelled,
  );
  if ('apart' in outcome) return send({ type: 'apart', run: pass, error: outcome.apart });
  for (const [index, report] of outcome.reports.entries()) {
    send({ type: 'done', run: names[index] ?? '', state: 'completed', report });
  }
}

function explain(
  { request, graph, blobs = [] }: MessageOf<typeof hostCommands, 'explain'>,
  payload: Uint8Array,
): void {
  answer(request, (loaded) => {
    const [{ constants, feeds } = NO_TENSORS] = tensorsOf({ graph }, payload);
    const named = kept.of(blobs);
    const all = new Map([...constants, ...named.constants(graph)]);
    const functionOf: FunctionOf = (sha256) => named.function(sha256);
    return { type: 'explained', request, ...loaded.explain(graph, all, feeds, functionOf) };
  });
}

function listenerOf(run: string, trace?: number): RunListener {
  let told = performance.now();
  const progress = (done: number, total: number): void => {
    const now = performance.now();
    if (now - told < PROGRESS_MS) return;
    told = now;
    send({ type: 'progress', run, done, total });
  };
  return {
    value: (save, value, step) => sendValue({ run, trace, save, step }, value),
    accessError: (save, error, step) => send({ type: 'access_error', run, trace, save, step, error }),
    log: (node, text, value, step) => sendLog({ run, trace, node, step }, text, value),
    token: (token) => tokens.take({ type: 'token', run, trace, ...token }),
    progress,
  };
}

/** Encoded once, here: the gateway rewrites the headers and forwards the payloads. */
function sendValue(
  of: Pick<MessageOf<typeof hostEvents, 'value'>, 'run' | 'trace' | 'save' | 'step'>,
  value: Value,
): void {
  const writer = new PayloadWriter();
  const ref = writer.value(value);
  const [first = [], ...rest] = chunksOf(writer.parts, chunkBytes);
  send({ type: 'value', ...of, value: ref, bytes: writer.bytes }, first);
  for (const [index, chunk] of rest.entries()) {
    send({ type: 'chunk', ...of, offset: (index + 1) * chunkBytes }, chunk);
  }
}

function sendLog(
  of: Pick<MessageOf<typeof hostEvents, 'log'>, 'run' | 'trace' | 'node' | 'step'>,
  text: string | undefined,
  value: Value | undefined,
): void {
  if (value === undefined) return send({ type: 'log', ...of, text });
  const bytes = valueBytes(value);
  if (bytes > LOG_VALUE_BYTES) {
    const left = `(a value of ${bytes} bytes, left out: save it instead)`;
    return send({ type: 'log', ...of, text: text === undefined ? left : `${text} ${left}` });
  }
  const writer = new PayloadWriter();
  send({ type: 'log', ...of, text, value: writer.value(value) }, writer.parts);
}

function answer(request: number, make: (loaded: Engine) => Event): void {
  try {
    send(engine ? make(engine) : { type: 'refused', request, error: notLoaded() });
  } catch (error) {
    send({ type: 'refused', request, error: toErrorBody(error) });
  }
}

function notLoaded(): ErrorBody {
  return { code: 'internal', message: 'The host has no model loaded.' };
}
