/** All wrong clients: our own with one line changed, by the part of the page that the change breaks. */
import type { WrongClient } from './patched.ts';

type Row = readonly [
  wrong: string,
  caughtBy: string | readonly string[],
  file: string,
  from: string,
  to: string,
];

const FRAMES: readonly Row[] = [
  [
    'takes a message without its padding',
    'client-broken-padding-missing',
    'protocol/src/frame.ts',
    ' || end > message.byteLength',
    '',
  ],
  [
    'takes any padding',
    'client-broken-padding',
    'protocol/src/frame.ts',
    'some((byte) => byte !== 0)',
    'some(() => false)',
  ],
  [
    'takes extension types',
    'client-broken-ext',
    'protocol/src/scan.ts',
    'default:\n        this.at -= 1;',
    'case 0xd4:\n        return this.#skip(2);\n      default:\n        this.at -= 1;',
  ],
  [
    'takes any integer',
    ['client-broken-int-large', 'client-broken-int-small'],
    'protocol/src/scan.ts',
    'if (value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER)',
    'if (value === undefined)',
  ],
  ['takes any depth', 'client-broken-depth', 'protocol/src/scan.ts', 'depth > MAX_DEPTH', 'depth > 99'],
  ['takes any count', 'client-broken-values', 'protocol/src/scan.ts', 'this.#values > MAX_VALUES', 'false'],
  [
    'takes a key twice',
    ['client-broken-duplicate-key', 'client-broken-duplicate-deep'],
    'protocol/src/scan.ts',
    'keys.includes(key)',
    'false',
  ],
  ['takes what is no UTF-8', 'client-broken-utf8', 'protocol/src/scan.ts', 'fatal: true', 'fatal: false'],
  ['refuses what lies 16 deep', 'client-depth-16', 'protocol/src/scan.ts', 'depth > MAX_DEPTH', 'depth > 15'],
  ['refuses integers in eight bytes', 'client-number-forms-64', 'protocol/src/scan.ts', 'case 0xcf:\n', ''],
];

const VALUES: readonly Row[] = [
  [
    'takes any length of a tensor',
    'client-broken-tensor-length',
    'protocol/src/payload.ts',
    'length !== wanted',
    'length < 0',
  ],
  [
    'takes gaps',
    ['client-broken-tuple-gap', 'client-broken-tensor-moved'],
    'protocol/src/payload.ts',
    'offset !== align8(this.#end)',
    'offset < align8(this.#end)',
  ],
  [
    'takes gaps that are not zero',
    'client-broken-gap-not-zero',
    'protocol/src/payload.ts',
    'some((byte) => byte !== 0)',
    'some(() => false)',
  ],
  ['takes any bool', 'client-broken-bool-2', 'protocol/src/payload.ts', 'byte > 1', 'byte > 2'],
  [
    'takes a longer payload',
    'client-broken-payload-longer',
    'protocol/src/payload.ts',
    'this.#end !== this.#payload.byteLength',
    'this.#end > this.#payload.byteLength',
  ],
  [
    'takes an empty tuple',
    'client-broken-tuple-empty',
    'protocol/src/fields.ts',
    'z.minLength(1), z.maxLength(1024)',
    'z.maxLength(1024)',
  ],
  [
    'takes a value that is both',
    'client-broken-value-both',
    'protocol/src/fields.ts',
    'z.strictObject({ tensor: tensorRef })',
    'z.object({ tensor: tensorRef })',
  ],
];

const CONVERSATION: readonly Row[] = [
  [
    'does not wait for the welcome',
    'client-tutorial',
    'client/src/connection.ts',
    "this.send({ type: 'hello',",
    "this.send({ type: 'cancel', run: 'x' });\n    this.send({ type: 'hello',",
  ],
  [
    'closes with 1000 for a breach',
    'client-broken-seq-gap',
    'client/src/connection.ts',
    'this.close(toViolation(error), 4400)',
    'this.close(toViolation(error), 1000)',
  ],
  [
    'offers no subprotocol',
    'client-tutorial',
    'client/src/websocket-node.ts',
    'new WebSocket(url, SUBPROTOCOL, { ...OPTIONS, headers, ...readingOf(url) })',
    'new WebSocket(url, { ...OPTIONS, headers })',
  ],
  [
    'offers compression',
    'client-tutorial',
    'client/src/websocket-node.ts',
    'perMessageDeflate: false',
    'perMessageDeflate: true',
  ],
  [
    'takes a second welcome',
    'client-broken-welcome-again',
    'client/src/connection.ts',
    "if (this.#welcomed) throw violation('a second welcome');",
    '',
  ],
  [
    'takes any version',
    ['client-broken-welcome-protocol', 'client-broken-welcome-opset'],
    'client/src/connection.ts',
    'if (fault) throw fault;',
    '',
  ],
  [
    'waits without end after a nameless error',
    'client-error-nameless',
    'client/src/conversation.ts',
    'else this.close(refusal(errors));',
    'else refusal(errors);',
  ],
  [
    'knows a closed list of codes',
    'client-error-unknown-code',
    'protocol/src/error-body.ts',
    'bodyOf(name as unknown as z.ZodMiniType<ErrorCode>)',
    'bodyOf(z.enum(ACCESS_CODES) as never)',
  ],
];

const MESSAGES: readonly Row[] = [
  [
    'takes unknown fields',
    'client-broken-unknown-field',
    'protocol/src/messages.ts',
    'status: z\n    .strictObject({',
    'status: z\n    .object({',
  ],
  [
    'takes a status with any fields',
    [
      'client-broken-completed-no-report',
      'client-broken-failed-no-errors',
      'client-broken-position-received',
    ],
    'protocol/src/messages.ts',
    '    .check(z.refine(hasItsFields,',
    '    .check(z.refine(() => true,',
  ],
  [
    'takes NaN',
    'client-broken-report-nan',
    'protocol/src/messages.ts',
    'milliseconds: z.number(),',
    'milliseconds: z.any(),',
  ],
  [
    'takes any code of an access error',
    'client-broken-access-code',
    'protocol/src/error-body.ts',
    'bodyOf(z.enum(ACCESS_CODES))',
    'bodyOf(name as never)',
  ],
  [
    'takes a stray payload',
    ['client-broken-stray-payload', 'client-broken-log-payload-stray'],
    'protocol/src/codec.ts',
    '!mayHavePayload(header)',
    'false',
  ],
  [
    'takes a log of any node',
    'client-broken-log-node',
    'client/src/run.ts',
    '!owing?.logs.has(node)',
    'false',
  ],
];

const RUNS: readonly Row[] = [
  ['never acknowledges the end', 'client-tutorial', 'client/src/run.ts', 'this.#acks.flush();\n', ''],
  [
    'acknowledges by time only',
    'client-acks-bytes',
    'client/src/acks.ts',
    'this.#bytes >= this.#everyBytes',
    'false',
  ],
  [
    'acknowledges by bytes only',
    'client-acks',
    'client/src/acks.ts',
    'else this.#timer ??= setTimeout(() => this.flush(), LONGEST_MS);',
    '',
  ],
  [
    'acknowledges ahead',
    'client-tutorial',
    'client/src/acks.ts',
    'this.#send(this.#seq);',
    'this.#send(this.#seq + 1);',
  ],
  [
    'takes any number',
    ['client-broken-seq-gap', 'client-broken-seq-again', 'client-broken-seq-first'],
    'client/src/run.ts',
    'seq !== this.#seq + 1',
    'seq < 0',
  ],
  [
    'takes the states in any order',
    ['client-broken-states-first-running', 'client-broken-states-running-twice'],
    'client/src/run.ts',
    'if (!may) throw',
    'if (may === undefined) throw',
  ],
  [
    'takes values at any time',
    'client-broken-states-value-early',
    'client/src/run.ts',
    "if (this.#state !== 'running')",
    "if (what === '')",
  ],
  [
    'takes an end without all outcomes',
    'client-broken-no-outcome',
    'client/src/run.ts',
    'if (missing === undefined) continue;',
    'if (missing?.save !== -1) continue;',
  ],
  [
    'takes parts of any length',
    ['client-broken-first-part-short', 'client-broken-chunk-short'],
    'client/src/value-assembly.ts',
    'if (byteLength === Math.min(this.#chunkBytes, bytes - at)) return;',
    'if (byteLength > 0 && at + byteLength <= bytes) return;',
  ],
  [
    'takes chunks anywhere',
    'client-broken-chunk-elsewhere',
    'client/src/value-assembly.ts',
    'offset !== open.at',
    'false',
  ],
  [
    'takes chunks of any save',
    'client-broken-chunk-save',
    'client/src/value-assembly.ts',
    'open?.of.save !== save',
    '!open',
  ],
  [
    'takes any payload',
    'client-broken-chunk-bytes',
    'client/src/connection.ts',
    'byteLength > this.#chunkBytes',
    'false',
  ],
];

const RESUME: readonly Row[] = [
  [
    'ignores another epoch',
    ['client-epoch', 'client-epoch-unheard'],
    'client/src/conversation.ts',
    'welcome.epoch === epoch',
    'epoch !== undefined',
  ],
  [
    'does not come back after 1001',
    'client-resumes-after-1001',
    'client/src/connection.ts',
    ' || code === GOING_AWAY',
    '',
  ],
  [
    'does not come back after 1008',
    'client-resumes-after-1008',
    'protocol/src/transport.ts',
    '1005, 1009]',
    '1005, 1008, 1009]',
  ],
  [
    'never comes back',
    'client-resumes',
    'client/src/connection.ts',
    'isLost(code) || code === GOING_AWAY',
    'false',
  ],
  [
    'resumes what nothing had come of',
    'client-sends-again',
    'client/src/runs.ts',
    'run.seq > 0 || follow !== undefined',
    'id !== undefined',
  ],
  ['resumes from the start', 'client-resumes', 'client/src/runs.ts', 'after: run.seq }', 'after: 0 }'],
  [
    'sends everything again',
    'client-resumes',
    'client/src/runs.ts',
    'run.seq > 0 || follow !== undefined',
    'follow !== undefined',
  ],
  ['has short run ids', 'client-run-ids', 'client/src/runs.ts', 'new Uint8Array(16)', 'new Uint8Array(4)'],
];

const BLOBS: readonly Row[] = [
  [
    'sends a blob as fast as it can',
    'client-function',
    'client/src/uploads.ts',
    'upload.sent + chunkBytes <= received + windowBytes',
    'chunkBytes > 0 && windowBytes > 0',
  ],
  [
    'sends a blob from the start again',
    'client-function-lost',
    'client/src/uploads.ts',
    'upload.sent ??= received',
    'upload.sent ??= 0',
  ],
  [
    'gives up where the server has let go of a blob',
    'client-function-again',
    'client/src/runs.ts',
    'const MOST_MISSED = 3',
    'const MOST_MISSED = 0',
  ],
  [
    'takes a state of any blob',
    'client-broken-blob-state',
    'client/src/uploads.ts',
    '!this.#offered.has(sha256)',
    'sha256.length === 0',
  ],
  [
    'sends what the server has',
    'client-function-known',
    'client/src/uploads.ts',
    "if (state === 'wanted') return this.#sendParts(sha256, upload, received);",
    "if (state !== 'refused') return this.#sendParts(sha256, upload, 0);",
  ],
];

const SESSIONS: readonly Row[] = [
  [
    'takes the outcomes of traces in any order',
    'client-broken-session-trace-order',
    'client/src/run.ts',
    'number < this.#trace',
    'number < 0',
  ],
  [
    'doesn’t care whether a message has a trace',
    ['client-broken-session-value-no-trace', 'client-broken-trace-of-one'],
    'client/src/run.ts',
    '(trace === undefined) === this.#isSession',
    'trace === -1',
  ],
  [
    'takes any number of reports',
    'client-broken-session-too-few-reports',
    'client/src/run.ts',
    'reports.length !== this.#owing.length',
    'reports.length === 0',
  ],
  [
    'lays the tensors of all traces at one place',
    ['client-session', 'client-session-warnings'],
    'client/src/joined.ts',
    'base === 0 ? graph : moved(graph, base)',
    'graph',
  ],
];

const GENERATION: readonly Row[] = [
  [
    'takes tokens in any order',
    ['client-broken-generation-token-order', 'client-broken-generation-token-twice'],
    'client/src/run.ts',
    'if (before !== step)',
    'if (before < 0)',
  ],
  [
    'takes a generation’s end without its reason',
    'client-broken-generation-no-generated',
    'client/src/run.ts',
    'if ((generated !== undefined) === generates) return;',
    'if (generated === undefined || generates) return;',
  ],
];

export const WRONG_CLIENTS: readonly WrongClient[] = [
  ...FRAMES,
  ...VALUES,
  ...CONVERSATION,
  ...MESSAGES,
  ...RUNS,
  ...RESUME,
  ...BLOBS,
  ...SESSIONS,
  ...GENERATION,
].map(([wrong, caughtBy, file, from, to]) => ({ wrong, caughtBy: [caughtBy].flat(), file, from, to }));
