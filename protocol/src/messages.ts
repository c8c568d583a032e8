/** Every message between client and gateway, in both directions (PROTOCOL.md, section 2). */
import * as z from 'zod/mini';
import { modelDescription, portDescription } from './description.ts';
import { accessError, errorBody } from './error-body.ts';
import { explanation } from './explanation.ts';
import { id, name, sha256, uint, utf8, valueRef } from './fields.ts';
import { generate, generated } from './generate.ts';
import { graph, MAX_TRACES } from './graph.ts';

const text = utf8(1024 * 1024);
const peer = z.strictObject({ name, version: name });
const capabilities = z.array(name).check(z.maxLength(64));
const errors = z.array(errorBody).check(z.maxLength(100));

const positive = uint.check(z.gte(1));
/** A client takes in limits that it doesn't know: servers bound what they like. */
const limits = z.looseObject({
  /** Bytes of a message to the server. */
  messageBytes: positive,
  nodes: positive,
  /** Bytes of all saved values of a run. */
  savedBytes: positive,
  /** Bytes of all results of a run's operators. */
  intermediateBytes: z.optional(positive),
  /** Payload bytes of a run that the server sends ahead of acks. */
  windowBytes: positive,
  /** Payload bytes of one message from the server. */
  chunkBytes: positive,
  /** Runs of one connection that have not ended. */
  runs: positive,
  /** Prompts in one pass; with the capability `invokes`. */
  invokes: z.optional(uint),
  /** Tokens in one pass over several prompts, padding counted; with the capability `invokes`. */
  batchTokens: z.optional(uint),
  /** Traces in one run; with the capability `sessions`. */
  traces: z.optional(uint),
  /** How long a run waits for its client to come back; with the capability `resume`. */
  resumeMs: z.optional(uint),
  /** How long an ended detached run is kept; with the capability `detach`. */
  retainMs: z.optional(uint),
  /** Bytes of the blobs of a key; with the capability `blobs`. */
  blobBytes: z.optional(uint),
  /** How long a blob stays after its last use; with the capability `blobs`. */
  blobMs: z.optional(uint),
  /** How long a run may take from `running` on. */
  runMs: z.optional(uint),
  /** Runs that may wait for one model. */
  queuedRuns: z.optional(uint),
  /** Runs of one key that have not ended, on all its connections. */
  keyRuns: z.optional(uint),
  /** Connections of one key at a time. */
  connections: z.optional(uint),
  /** Of one key, on all its connections. */
  requestsPerSecond: z.optional(uint),
});

/** Whether a run has its passes to itself, and its bytes are those of a local run, or may share one. */
const batching = z.enum(['exact', 'shared']);
/** One of several traces in a run; with the capability `sessions`. */
const trace = z.strictObject({ graph, generate: z.optional(generate) });

const runOptions = z.strictObject({
  /** Milliseconds from `received` after which the run is cancelled. */
  deadlineMs: z.optional(positive),
  /** The run outlives its connection; with the capability `detach`. */
  detach: z.optional(z.literal(true)),
  /** More passes than one, each over the token that the one before chose; with the capability `generation`. */
  generate: z.optional(generate),
  /** Whether it may share a pass with other runs; with the capability `batching`. */
  batching: z.optional(batching),
  /** W3C trace context, for the server's log. */
  traceparent: z.optional(z.string().check(z.regex(/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/))),
});

export const report = z.strictObject({
  modulesRun: uint,
  modulesTotal: uint,
  segmentsRun: uint,
  segmentsTotal: uint,
  /** Of all prompts, padding not counted; with `generate` those of all passes. */
  tokens: uint,
  /** From the start of the pass to its end. */
  milliseconds: z.number(),
  /** The module after which the pass ended early. */
  stoppedAfter: z.optional(name),
  /** Runs that shared the pass, where there were several. */
  shared: z.optional(uint.check(z.gte(2))),
  /** With `generate`: how many passes began, the seed where one was used, and what came of each invoke. */
  steps: z.optional(uint),
  seed: z.optional(uint),
  generated: z.optional(z.array(generated)),
});

/** What became of one of several traces; a report where its pass began. */
export const traceReport = z
  .strictObject({
    state: z.enum(['completed', 'failed', 'cancelled']),
    errors: z.optional(errors.check(z.minLength(1))),
    report: z.optional(report),
  })
  .check(z.refine(hasItsFields, { error: 'wanted the fields of its state, and no others' }));

/** In the order in which they can come (PROTOCOL.md, section 2.3). */
export const RUN_STATES = ['received', 'queued', 'running', 'completed', 'failed', 'cancelled'] as const;

/** What a client may say, by type (PROTOCOL.md, section 2.1). */
export const clientMessages = {
  hello: z.strictObject({ type: z.literal('hello'), protocol: uint, client: peer, capabilities }),
  describe: z.strictObject({ type: z.literal('describe'), request: uint, model: name }),
  tokenize: z.strictObject({ type: z.literal('tokenize'), request: uint, model: name, text }),
  detokenize: z.strictObject({
    type: z.literal('detokenize'),
    request: uint,
    model: name,
    ids: z.array(uint).check(z.maxLength(65_536)),
  }),
  run: z
    .strictObject({
      type: z.literal('run'),
      run: id,
      model: name,
      /** Either this or `traces`. */
      graph: z.optional(graph),
      traces: z.optional(z.array(trace).check(z.minLength(1), z.maxLength(MAX_TRACES))),
      options: z.optional(runOptions),
    })
    .check(
      z.refine((run) => run.graph !== undefined || run.traces !== undefined, {
        path: ['graph'],
        error: 'wanted a map',
      }),
      z.refine((run) => run.graph === undefined || run.traces === undefined, {
        path: ['traces'],
        error: 'wanted none beside a graph',
      }),
      z.refine((run) => run.traces === undefined || run.options?.generate === undefined, {
        path: ['options', 'generate'],
        error: 'wanted none beside traces, which have their own',
      }),
    ),
  /** With the capability `explain`. */
  explain: z.strictObject({ type: z.literal('explain'), request: uint, model: name, graph }),
  cancel: z.strictObject({ type: z.literal('cancel'), run: id }),
  ack: z.strictObject({ type: z.literal('ack'), run: id, seq: uint }),
  /** With the capability `resume`. */
  resume: z.strictObject({ type: z.literal('resume'), run: id, after: uint }),
  /** Offers a blob; this and the next with the capability `blobs`. */
  blob: z.strictObject({ type: z.literal('blob'), sha256, size: uint }),
  blob_chunk: z.strictObject({ type: z.literal('blob_chunk'), sha256, offset: uint }),
  /** With the capability `functions`. */
  function: z.strictObject({ type: z.literal('function'), request: uint, sha256 }),
};

const ports = z.array(portDescription).check(z.maxLength(64));
const ofRun = { run: id, seq: uint };
/** In a run with `generate`, and in no other: which pass it is of. */
const step = z.optional(uint);
/** In a run of `traces`, and in no other: which of them it is of. */
const ofTrace = { trace: z.optional(uint) };

/** What a server may say, by type (PROTOCOL.md, section 2.2). */
export const serverMessages = {
  welcome: z.strictObject({
    type: z.literal('welcome'),
    protocol: uint,
    server: peer,
    epoch: id,
    capabilities,
    opset: uint,
    models: z.array(name).check(z.minLength(1), z.maxLength(1000)),
    /** For runs that don't say; with the capability `batching`. */
    batching: z.optional(batching),
    limits,
  }),
  description: z.strictObject({
    type: z.literal('description'),
    request: uint,
    description: modelDescription,
  }),
  tokens: z.strictObject({
    type: z.literal('tokens'),
    request: uint,
    ids: z.array(uint),
    tokens: z.array(z.string()),
  }),
  text: z.strictObject({ type: z.literal('text'), request: uint, text: z.string() }),
  explanation: z.strictObject({ type: z.literal('explanation'), request: uint, explanation }),
  error: z.strictObject({
    type: z.literal('error'),
    request: z.optional(uint),
    run: z.optional(id),
    errors: errors.check(z.minLength(1)),
  }),
  status: z
    .strictObject({
      type: z.literal('status'),
      ...ofRun,
      state: z.enum(RUN_STATES),
      position: z.optional(uint),
      waitMs: z.optional(uint),
      warnings: z.optional(errors),
      errors: z.optional(errors.check(z.minLength(1))),
      report: z.optional(report),
      /** Of a run of `traces`, in place of `report`: one for each, in order. */
      reports: z.optional(z.array(traceReport).check(z.minLength(1), z.maxLength(MAX_TRACES))),
    })
    .check(z.refine(hasItsFields, { error: 'wanted the fields of its state, and no others' })),
  value: z.strictObject({
    type: z.literal('value'),
    ...ofRun,
    ...ofTrace,
    save: uint,
    step,
    value: valueRef,
    bytes: uint,
  }),
  chunk: z.strictObject({ type: z.literal('chunk'), ...ofRun, ...ofTrace, save: uint, step, offset: uint }),
  access_error: z.strictObject({
    type: z.literal('access_error'),
    ...ofRun,
    ...ofTrace,
    save: uint,
    step,
    error: accessError,
  }),
  /** A token that was chosen, behind the values of its step. */
  token: z.strictObject({
    type: z.literal('token'),
    ...ofRun,
    ...ofTrace,
    invoke: z.optional(uint),
    step: uint,
    id: uint,
    text: z.string(),
  }),
  log: z.strictObject({
    type: z.literal('log'),
    ...ofRun,
    ...ofTrace,
    node: uint,
    step,
    text: z.optional(utf8(20_000)),
    value: z.optional(valueRef),
  }),
  blob_state: z.strictObject({
    type: z.literal('blob_state'),
    sha256,
    state: z.enum(['wanted', 'known', 'refused']),
    received: uint,
    error: z.optional(errorBody),
  }),
  function_description: z.strictObject({
    type: z.literal('function_description'),
    request: uint,
    inputs: ports,
    outputs: ports,
  }),
  progress: z.strictObject({
    type: z.literal('progress'),
    run: id,
    done: uint,
    total: uint,
    phase: z.optional(z.enum(['loading'])),
  }),
};

/** A table of messages: type → schema. */
export type MessageTable = Readonly<Record<string, z.ZodMiniType>>;
/** A message of a table: of one type, or any. */
export type MessageOf<T extends MessageTable, K extends keyof T = keyof T> = z.infer<T[K]>;
/** One function a message, checked by the compiler to be complete. */
export type Handlers<T extends MessageTable> = {
  readonly [K in keyof T]: (message: z.infer<T[K]>, payload: Uint8Array) => void;
};

/** Any message of a client. */
export type ClientMessage = MessageOf<typeof clientMessages>;
/** Any message of a server. */
export type ServerMessage = MessageOf<typeof serverMessages>;
/** What a server says of itself first. */
export type Welcome = MessageOf<typeof serverMessages, 'welcome'>;
/** A step of a run's life. */
export type Status = MessageOf<typeof serverMessages, 'status'>;
/** What a server takes at most, in bytes, milliseconds and numbers of things (PROTOCOL.md, section 2.2). */
export type Limits = Welcome['limits'];
/** What a run may be told beside its graph. */
export type RunOptions = z.infer<typeof runOptions>;
/** How a pass or generation went. */
export type Report = z.infer<typeof report>;
/** How one trace of a session went, or why it failed. */
export type TraceReport = z.infer<typeof traceReport>;
/** Where a run is. */
export type RunState = (typeof RUN_STATES)[number];

/** Fields that a status has with some states only, and those that it must have with one. */
function hasItsFields(status: {
  readonly state: RunState;
  readonly position?: unknown;
  readonly waitMs?: unknown;
  readonly warnings?: unknown;
  readonly errors?: unknown;
  readonly report?: unknown;
  readonly reports?: unknown;
}): boolean {
  const { state, position, waitMs, warnings, errors: faults, report: one, reports } = status;
  if (one !== undefined && reports !== undefined) return false;
  const told = one ?? reports;
  if ((position ?? waitMs) !== undefined && state !== 'queued') return false;
  if (warnings !== undefined && state !== 'received') return false;
  if ((faults !== undefined) !== (state === 'failed')) return false;
  return told === undefined ? state !== 'completed' : isTerminal(state);
}

/** Whether a run in this state has ended. */
export function isTerminal(state: RunState): boolean {
  return state === 'completed' || state === 'failed' || state === 'cancelled';
}
