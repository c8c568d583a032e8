/**
 * A server of section 6 (generation, sessions, blobs, functions) that is as simple as can be: a made-up model of two
 * blocks whose values are sums, one run at a time, no queue and no window. It plays right answers, or one wrong thing,
 * so that the conformance cases of those capabilities are themselves tested.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { decodeFrame, encodeFrame, generate as OPTIONS, SUBPROTOCOL } from '@tracewire/protocol';
import { type WebSocket, WebSocketServer } from 'ws';
import { DESCRIPTION, MODEL } from '../../server/src/conformance/client/fixture.ts';
import { type Outcome, type PartialNode, PartialTrace } from './partial-trace.ts';

export const WRONGS = [
  'numbers steps from 1',
  'gives values without their step',
  'makes one token more',
  'says nothing of steps that never came',
  'takes a value of a later step for an earlier one',
  'joins any steps',
  'forgets values of earlier steps',
  'gives the whole prompt in each step',
  'goes by the clock, not by the seed',
  'runs on after a stop',
  'chooses after a stop',
  'ignores stop tokens',
  'ignores stop strings',
  'takes any option',
  'runs past the context',
  'takes several prompts for one',
  'numbers no trace',
  'takes a reference to a later trace',
  'fails the run with one trace',
  'gives no cause',
  'takes traces beside a graph',
  'runs without the blob',
  'takes any bytes',
  'never knows a blob',
  'describes no outputs',
  'takes any operator',
  'refuses a part twice',
  'has no quota',
  'says no limits of blobs',
  'leaves parts out',
  'takes any file',
  'takes any inputs',
  'counts a call as one',
] as const;
export type Wrong = (typeof WRONGS)[number];

export interface Fields {
  readonly [key: string]: unknown;
}

interface Generate {
  readonly maxNewTokens: number;
  readonly temperature?: number;
  readonly topK?: number;
  readonly seed?: number;
  readonly stopTokens?: readonly number[];
  readonly stopStrings?: readonly string[];
}

interface Trace {
  readonly graph: {
    readonly invokes: readonly [{ readonly input: { readonly ids: readonly number[] } }];
    readonly nodes: readonly PartialNode[];
  };
  readonly generate?: Generate | undefined;
}

const LIMITS = {
  messageBytes: 2 ** 20,
  nodes: 1000,
  savedBytes: 2 ** 26,
  windowBytes: 2 ** 20,
  chunkBytes: 2 ** 18,
  runs: 4,
  blobBytes: 2 ** 22,
  blobMs: 60_000,
};
const CAPABILITIES = ['generation', 'sessions', 'blobs', 'functions'];
const PORT = (name: string) => ({ name, dtype: 'float32', dims: ['n'] });

/** The one function that it knows: y = x + x. */
const DOUBLE =
  '080a12003a370a0e0a01780a017812017922034164641201675a100a0178120b0a09080112050a0312016e62100a0179120b0a09080112050a0312016e42040a001015';

/** A blob that is being taken in. */
interface Part {
  readonly size: number;
  readonly bytes: Uint8Array;
}

export async function startPartialServer(wrong?: Wrong) {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols: () => SUBPROTOCOL });
  const blobs = new Map<string, Uint8Array>();
  const uploads = new Map<string, Part>();
  server.on('connection', (socket) => {
    const connection = new PartialConnection(socket, blobs, uploads, wrong);
    socket.on('message', (bytes: Buffer) => connection.take(bytes));
  });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const stop = () => new Promise((resolve) => server.close(resolve));
  return { url: `ws://127.0.0.1:${port}`, stop };
}

const refusal = (code: string, fields: Fields = {}): Fields => ({ code, message: 'No.', ...fields });

class PartialConnection {
  readonly #socket: WebSocket;
  readonly #blobs: Map<string, Uint8Array>;
  readonly #wrong: Wrong | undefined;
  readonly #uploads: Map<string, Part>;
  #seq = 0;
  #run: unknown;

  constructor(
    socket: WebSocket,
    blobs: Map<string, Uint8Array>,
    uploads: Map<string, Part>,
    wrong: Wrong | undefined,
  ) {
    this.#socket = socket;
    this.#blobs = blobs;
    this.#uploads = uploads;
    this.#wrong = wrong;
  }

  take(bytes: Buffer): void {
    const { header, payload } = decodeFrame(bytes);
    const { request, sha256 } = header;
    if (header.type === 'hello')
      this.#send({
        type: 'welcome',
        protocol: 1,
        server: { name: 'partial', version: '1' },
        epoch: 'e',
        capabilities: CAPABILITIES,
        opset: 21,
        models: [MODEL],
        limits: this.#wrong === 'says no limits of blobs' ? { ...LIMITS, blobMs: undefined } : LIMITS,
      });
    if (header.type === 'describe') this.#send({ type: 'description', request, description: DESCRIPTION });
    if (header.type === 'blob' || header.type === 'blob_chunk') this.#blob(header, payload);
    if (header.type === 'function') {
      const error = this.#functionFault(String(sha256));
      if (error) this.#send({ type: 'error', request, errors: [error] });
      else {
        const outputs = this.#wrong === 'describes no outputs' ? [] : [PORT('y')];
        this.#send({ type: 'function_description', request, inputs: [PORT('x')], outputs });
      }
    }
    if (header.type === 'run') this.#answer(header, payload);
  }

  #send(header: Fields & { readonly type: string }, payload?: Uint8Array): void {
    this.#socket.send(Buffer.concat(encodeFrame(header, payload ? [payload] : [])));
  }

  #blob({ type, sha256, size, offset }: Fields, payload: Uint8Array): void {
    const hash = String(sha256);
    const state = (name: string, fields: Fields): void =>
      this.#send({ type: 'blob_state', sha256, state: name, received: 0, ...fields });
    const refuse = (code: string): void => state('refused', { error: refusal(code) });
    const known = this.#blobs.get(hash);
    if (known && this.#wrong !== 'never knows a blob') return state('known', { received: known.byteLength });
    if (type === 'blob' && Number(size) > LIMITS.blobBytes && this.#wrong !== 'has no quota')
      return refuse('too_large');
    const upload = this.#uploads.get(hash) ?? { size: Number(size), bytes: new Uint8Array() };
    const taken = upload.bytes.byteLength;
    if (type === 'blob') this.#uploads.set(hash, upload);
    if (type === 'blob')
      return state('wanted', {
        received: this.#wrong === 'leaves parts out' && taken > 0 ? taken + 4 : taken,
      });
    if (Number(offset) < taken && this.#wrong !== 'refuses a part twice')
      return state('wanted', { received: taken });
    if (Number(offset) !== taken) return refuse('bad_message');
    const bytes = Buffer.concat([upload.bytes, payload]);
    this.#uploads.set(hash, { ...upload, bytes });
    if (bytes.byteLength < upload.size) return state('wanted', { received: bytes.byteLength });
    this.#uploads.delete(hash);
    if (createHash('sha256').update(bytes).digest('hex') !== hash && this.#wrong !== 'takes any bytes')
      return refuse('blob_mismatch');
    this.#blobs.set(hash, bytes);
    state('known', { received: bytes.byteLength });
  }

  /** A function is known by the operator that stands in its bytes. */
  #functionFault(hash: string): Fields | undefined {
    const bytes = this.#blobs.get(hash);
    if (!bytes) return refusal('unknown_blob', { wanted: hash });
    if (Buffer.from(bytes).includes('Nothing'))
      return this.#wrong === 'takes any operator'
        ? undefined
        : refusal('unknown_operator', { path: 'Nothing' });
    const right = Buffer.from(bytes).toString('hex') === DOUBLE || this.#wrong === 'takes any file';
    return right ? undefined : refusal('bad_function', { path: 'file' });
  }

  /** What is wrong with the operands of a call of the one function. */
  #inputFault(nodes: readonly PartialNode[], { inputs = [] }: PartialNode): Fields | undefined {
    if (this.#wrong === 'takes any inputs') return undefined;
    const operand = nodes[inputs[0] ?? -1]?.tensor;
    if (inputs.length !== 1) return refusal('bad_arity');
    if (operand && operand.dtype !== 'float32') return refusal('wrong_dtype');
    return operand && operand.dims.length !== 1 ? refusal('wrong_dims') : undefined;
  }

  #answer(header: Fields, payload: Uint8Array): void {
    this.#run = header['run'];
    this.#seq = 0;
    const options = header['options'] as { readonly generate?: Generate } | undefined;
    const session = header['traces'] as readonly Trace[] | undefined;
    const graph = header['graph'] as Trace['graph'] | undefined;
    const traces = session ?? (graph ? [{ graph, generate: options?.generate }] : []);
    const mixed = (session && graph && this.#wrong !== 'takes traces beside a graph') || traces.length === 0;
    const errors = mixed
      ? [refusal('bad_message')]
      : traces.flatMap((trace, index) => this.#faults(traces, trace, index, session !== undefined));
    if (errors.length > 0) return this.#send({ type: 'error', run: this.#run, errors });
    for (const state of ['received', 'running']) this.#say({ type: 'status', state });
    const done: PartialTrace[] = [];
    const reports = traces.map((trace, index) => {
      const where = session && this.#wrong !== 'numbers no trace' ? { trace: index } : {};
      const partial = new PartialTrace(trace.graph.nodes, payload, {
        blobs: this.#blobs,
        done,
        wrong: this.#wrong,
      });
      done.push(partial);
      const report = this.#passes(partial, trace, where);
      return partial.failed
        ? { state: 'failed', errors: [refusal('operation_failed')], report }
        : { state: 'completed', report };
    });
    const failed =
      done.every((trace) => trace.failed) ||
      (this.#wrong === 'fails the run with one trace' && done.some((trace) => trace.failed));
    const rest = session ? { reports } : { report: reports[0]?.report };
    const why = failed ? { errors: [refusal('operation_failed', session ? { trace: 0 } : {})] } : {};
    this.#say({ type: 'status', state: failed ? 'failed' : 'completed', ...rest, ...why });
  }

  #faults(traces: readonly Trace[], { graph, generate }: Trace, index: number, session: boolean): Fields[] {
    const where = session ? { trace: index } : {};
    if (generate && !OPTIONS.safeParse(generate).success && this.#wrong !== 'takes any option')
      return [refusal('bad_message')];
    if (generate && graph.invokes.length > 1 && this.#wrong !== 'takes several prompts for one')
      return [refusal('not_offered', { path: 'graph.invokes', wanted: 'batch_generation' })];
    const tokens = graph.invokes[0].input.ids.length + (generate?.maxNewTokens ?? 1) - 1;
    if (tokens > Number(DESCRIPTION.contextLength) && this.#wrong !== 'runs past the context')
      return [refusal('input_too_long')];
    const calls = graph.nodes.filter(({ kind }) => kind === 'call').length;
    const count = graph.nodes.length + (this.#wrong === 'counts a call as one' ? 0 : calls);
    if (count > LIMITS.nodes) return [refusal('bad_message')];
    return graph.nodes.flatMap((node, id) => {
      const at = { ...where, node: id };
      if (node.kind === 'earlier') {
        const of =
          Number(node.trace) < index ? traces[Number(node.trace)]?.graph.nodes[Number(node.node)] : undefined;
        const sound = of && node.step === undefined && !['save', 'write', 'stop', 'log'].includes(of.kind);
        return sound || this.#wrong === 'takes a reference to a later trace'
          ? []
          : [refusal('bad_reference', at)];
      }
      if (node.blob) {
        const bytes = this.#blobs.get(node.blob.sha256);
        if (!bytes)
          return this.#wrong === 'runs without the blob'
            ? []
            : [refusal('unknown_blob', { ...at, wanted: node.blob.sha256 })];
        const wanted = 4 * node.blob.dims.reduce((product, dim) => product * dim, 1);
        return bytes.byteLength === wanted ? [] : [refusal('wrong_dims', at)];
      }
      if (node.kind === 'call') {
        const fault = this.#functionFault(String(node.function)) ?? this.#inputFault(graph.nodes, node);
        return fault ? [{ ...fault, ...at }] : [];
      }
      return PartialTrace.stepFault(graph.nodes, id, this.#wrong).map((code) => refusal(code, at));
    });
  }

  #say(header: Fields & { readonly type: string }, payload?: Uint8Array): void {
    this.#seq += 1;
    const { type, ...fields } = header;
    this.#send({ type, run: this.#run, seq: this.#seq, ...fields }, payload);
  }

  /** All passes of a trace; gives its report. */
  #passes(trace: PartialTrace, { graph, generate }: Trace, where: Fields): Fields {
    const chosen: number[] = [];
    const seed =
      generate?.temperature && generate.topK !== 1
        ? (generate.seed ?? Math.floor(Math.random() * 1000))
        : undefined;
    let ids = graph.invokes[0].input.ids;
    let end = generate ? '' : 'none';
    let steps = 0;
    while (end === '' || steps === 0) {
      const stopped = trace.pass(ids, steps);
      for (const outcome of trace.outcomes(steps, stopped))
        this.#tell(outcome, generate !== undefined, where);
      steps += 1;
      if (!generate) break;
      if (stopped && this.#wrong !== 'runs on after a stop') {
        end = 'stop';
        if (this.#wrong !== 'chooses after a stop') break;
      }
      const chance =
        this.#wrong === 'goes by the clock, not by the seed'
          ? Math.floor(Math.random() * 16)
          : (seed ?? 0) * (steps + 1);
      const id = ((ids.at(-1) ?? 0) + 1 + chance) % 16;
      chosen.push(id);
      const step = this.#wrong === 'numbers steps from 1' ? steps : steps - 1;
      this.#say({ type: 'token', ...where, step, id, text: ` t${id}` });
      end ||= this.#endOf(chosen, generate);
      ids = this.#wrong === 'gives the whole prompt in each step' ? [...ids, id] : [id];
    }
    for (const outcome of trace.never(steps)) this.#tell(outcome, generate !== undefined, where);
    const report = {
      modulesRun: 1,
      modulesTotal: 1,
      segmentsRun: 1,
      segmentsTotal: 1,
      tokens: 1,
      milliseconds: 1,
    };
    if (!generate) return report;
    return {
      ...report,
      steps,
      ...(seed === undefined ? {} : { seed }),
      generated: [{ tokens: chosen.length, end }],
    };
  }

  #endOf(chosen: readonly number[], { maxNewTokens, stopTokens, stopStrings = [] }: Generate): string {
    const text = chosen.map((id) => ` t${id}`).join('');
    if (stopTokens?.includes(chosen.at(-1) ?? -1) && this.#wrong !== 'ignores stop tokens') return 'token';
    if (stopStrings.some((stop) => text.includes(stop)) && this.#wrong !== 'ignores stop strings')
      return 'string';
    return chosen.length >= maxNewTokens + (this.#wrong === 'makes one token more' ? 1 : 0) ? 'length' : '';
  }

  #tell({ save, step, value, error }: Outcome, generates: boolean, where: Fields): void {
    const at = {
      ...where,
      ...(generates && this.#wrong !== 'gives values without their step' ? { step } : {}),
      save,
    };
    if (error) return this.#say({ type: 'access_error', ...at, error });
    const bytes = new Uint8Array(Float32Array.from(value?.numbers ?? []).buffer);
    const tensor = { dtype: 'float32', dims: value?.dims ?? [], offset: 0, length: bytes.byteLength };
    this.#say({ type: 'value', ...at, value: { tensor }, bytes: bytes.byteLength }, bytes);
  }
}
