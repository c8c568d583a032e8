/**
 * Every message between the gateway and a host. Framing is the protocol's (frame.ts), the table its own: a
 * host knows one model, no keys, no sequence numbers and no acks. Payload-carrying events have the fields of
 * their namesakes in PROTOCOL.md, so that the gateway rewrites headers and forwards payloads untouched.
 */
import {
  errorBody,
  explanation,
  type Graph,
  generate,
  modelDescription,
  report,
  traceReport,
  valueRef,
} from '@tracewire/protocol';
import * as z from 'zod/mini';

/** The gateway has checked it against its schema, which takes as long as all else that a host does to read a run. */
const graph = z.custom<Graph>();
const uint = z.int().check(z.gte(0));
const run = z.string();
/** In a generation, and only there. */
const step = z.optional(uint);
/** The files of the blobs that a graph names; they stay until the command is done. */
const blobs = z.optional(z.array(z.strictObject({ sha256: z.string(), path: z.string() })));
/** In a session, and only there. */
const trace = z.optional(uint);

/**
 * Gateway → host. A host runs one pass at a time, in the order of the commands: what comes before all runs of a pass are `done`, or
 * it is `apart`, waits for that, and begins at once then. The gateway sends at most one pass ahead in this way.
 */
export const hostCommands = {
  /** First and once. `cache` is the folder for prepared models. */
  load: z.strictObject({
    type: z.literal('load'),
    name: z.string(),
    folder: z.string(),
    cache: z.string(),
    provider: z.enum(['cpu', 'cuda']),
    /** Threads an operator may use; 0 lets the runtime choose. */
    threads: uint,
    chunkBytes: uint,
    /** Bytes of all saved values of a run. */
    savedBytes: uint,
    /** Tokens of a pass over several prompts, padding counted. */
    batchTokens: z.optional(uint),
    /** Bytes of all results of a run's operators. */
    intermediateBytes: uint,
    /** Only says what the model is; nothing is loaded that could run. */
    describeOnly: z.optional(z.literal(true)),
  }),
  /** Either one graph or, of a session, all. */
  run: z.strictObject({
    type: z.literal('run'),
    run,
    graph: z.optional(graph),
    generate: z.optional(generate),
    traces: z.optional(z.array(z.strictObject({ graph, generate: z.optional(generate) }))),
    blobs,
  }),
  /** Several runs in one pass, which has an id of its own; each run's payload in turn, from a multiple of 8 on. */
  run_together: z.strictObject({
    type: z.literal('run_together'),
    run,
    runs: z.array(z.strictObject({ run, graph, bytes: uint })),
  }),
  /** Of a run, or of a pass of several. */
  explain: z.strictObject({ type: z.literal('explain'), request: uint, graph, blobs }),
  cancel: z.strictObject({ type: z.literal('cancel'), run }),
  tokenize: z.strictObject({ type: z.literal('tokenize'), request: uint, text: z.string() }),
  detokenize: z.strictObject({ type: z.literal('detokenize'), request: uint, ids: z.array(uint) }),
};

/** Host → gateway. */
export const hostEvents = {
  loading: z.strictObject({ type: z.literal('loading'), phase: z.string(), done: uint, total: uint }),
  loaded: z.strictObject({ type: z.literal('loaded'), description: modelDescription }),
  load_failed: z.strictObject({ type: z.literal('load_failed'), error: errorBody }),
  progress: z.strictObject({ type: z.literal('progress'), run, done: uint, total: uint }),
  value: z.strictObject({
    type: z.literal('value'),
    run,
    trace,
    save: uint,
    step,
    value: valueRef,
    bytes: uint,
  }),
  chunk: z.strictObject({ type: z.literal('chunk'), run, trace, save: uint, step, offset: uint }),
  access_error: z.strictObject({
    type: z.literal('access_error'),
    run,
    trace,
    save: uint,
    step,
    error: errorBody,
  }),
  token: z.strictObject({
    type: z.literal('token'),
    run,
    trace,
    /** Where a generation has several prompts, and only there. */
    invoke: z.optional(uint),
    step: uint,
    id: uint,
    text: z.string(),
  }),
  log: z.strictObject({
    type: z.literal('log'),
    run,
    trace,
    node: uint,
    step,
    text: z.optional(z.string()),
    value: z.optional(valueRef),
  }),
  /** Last of a run: every save has had its outcome. */
  done: z.strictObject({
    type: z.literal('done'),
    run,
    state: z.enum(['completed', 'failed', 'cancelled']),
    errors: z.optional(z.array(errorBody)),
    report: z.optional(report),
    reports: z.optional(z.array(traceReport)),
  }),
  /** Last of a pass of several that didn't go through: none of its runs has ended, whatever outcomes they have had. */
  apart: z.strictObject({ type: z.literal('apart'), run, error: z.optional(errorBody) }),
  tokens: z.strictObject({
    type: z.literal('tokens'),
    request: uint,
    ids: z.array(uint),
    tokens: z.array(z.string()),
  }),
  text: z.strictObject({ type: z.literal('text'), request: uint, text: z.string() }),
  /** One of the two. */
  explained: z.strictObject({
    type: z.literal('explained'),
    request: uint,
    explanation: z.optional(explanation),
    errors: z.optional(z.array(errorBody)),
  }),
  refused: z.strictObject({ type: z.literal('refused'), request: uint, error: errorBody }),
};
