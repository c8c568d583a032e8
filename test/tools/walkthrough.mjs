/**
 * Three conversations as the bytes of their messages, for docs/PROTOCOL.md: a small trace with an early stop, a
 * cancel that races with the end, and a connection that drops. The model is made up, so that every byte fits on the
 * page; the messages are encoded and checked by the code itself.
 */
import {
  checkGraph,
  clientMessages,
  concat,
  decodeMessage,
  encodeFrame,
  ModelIndex,
  OPSET,
  PayloadWriter,
  PROTOCOL_VERSION,
  serverMessages,
} from '@tracewire/protocol';

/** @typedef {import('@tracewire/protocol').Header} Header */
/** @typedef {{ from: 'client' | 'server', header: Header, payload?: readonly Uint8Array[], bytes?: true, note: string }} Step */

/** @type {import('@tracewire/protocol').ModelDescription} */
const MODEL = {
  name: 'demo',
  id: 'sha256:0',
  architecture: 'Demo',
  exporter: 'other',
  opset: OPSET,
  blocks: ['h.0', 'h.1'],
  modules: ['h.0', 'h.1'].map((path, index) => ({
    path,
    order: { output: index },
    inputs: [],
    outputs: [{ name: path, dtype: 'float32', dims: ['batch', 'sequence', 4] }],
  })),
  parameters: [],
};

/** @type {import('@tracewire/protocol').Graph} */
const GRAPH = {
  invokes: [{ input: { ids: [5, 300] } }],
  nodes: [
    { kind: 'read', place: { module: 'h.1', port: 'output' } },
    { kind: 'save', value: 0 },
    { kind: 'read', place: { module: 'h.0', port: 'output' } },
    { kind: 'save', value: 2 },
    { kind: 'stop', place: { module: 'h.0', port: 'output' } },
  ],
};

/** @returns {readonly Step[]} */
function steps() {
  const { errors, warnings } = checkGraph(GRAPH, new ModelIndex(MODEL));
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  const writer = new PayloadWriter();
  const value = writer.value({
    dtype: 'float32',
    dims: [1, 2, 4],
    data: Float32Array.of(1, 2, 3, 4, -1, -2, -3, 0.5),
  });
  const run = 'r1';
  return [
    {
      from: 'client',
      header: {
        type: 'hello',
        protocol: PROTOCOL_VERSION,
        client: { name: 'example', version: '1.0' },
        capabilities: [],
      },
      bytes: true,
      note: '',
    },
    {
      from: 'server',
      header: {
        type: 'welcome',
        protocol: PROTOCOL_VERSION,
        server: { name: 'tracewire', version: '0.1.0' },
        epoch: 'e-1',
        capabilities: [],
        opset: OPSET,
        models: ['demo'],
        limits: {
          messageBytes: 67_108_864,
          nodes: 10_000,
          savedBytes: 1_073_741_824,
          windowBytes: 8_388_608,
          chunkBytes: 1_048_576,
          runs: 16,
        },
      },
      note: 'The numbers are examples; each server has its own limits.',
    },
    {
      from: 'client',
      header: { type: 'run', run, model: 'demo', graph: GRAPH },
      bytes: true,
      note: 'Node 0 reads `h.1`, node 1 saves that; 2 and 3 do so for `h.0`; node 4 stops there. No constants, no payload.',
    },
    {
      from: 'server',
      header: { type: 'status', run, seq: 1, state: 'received', warnings },
      note: 'The graph is sound; node 0 will not fire, which is no error.',
    },
    { from: 'server', header: { type: 'status', run, seq: 2, state: 'running' }, note: '' },
    {
      from: 'server',
      header: { type: 'value', run, seq: 3, save: 3, value, bytes: writer.bytes },
      payload: writer.parts,
      bytes: true,
      note: 'The value of node 3, whole: `bytes` equals the payload’s length, so no `chunk` follows.',
    },
    {
      from: 'server',
      header: {
        type: 'access_error',
        run,
        seq: 4,
        save: 1,
        error: {
          code: 'not_reached',
          message:
            "Accessing value before it's been set. h.1.output was not reached: the forward pass stopped after h.0.",
          node: 0,
          path: 'h.1',
        },
      },
      note: 'Node 1 has no value.',
    },
    {
      from: 'server',
      header: {
        type: 'status',
        run,
        seq: 5,
        state: 'completed',
        report: { ...REPORT, stoppedAfter: 'h.0' },
      },
      note: 'Both saves have had their outcome, so the run ends.',
    },
    {
      from: 'client',
      header: { type: 'ack', run, seq: 5 },
      bytes: true,
      note: 'Covers all five; the server forgets the run.',
    },
  ];
}

/** A run of one save, for the shorter walk-throughs. */
const SHORT_GRAPH = {
  invokes: [{ input: { ids: [5] } }],
  nodes: [
    { kind: 'read', place: { module: 'h.0', port: 'output' } },
    { kind: 'save', value: 0 },
  ],
};

/** @param {string} run @param {number} seq @param {string} state @param {object} [more] @returns {Header} */
const status = (run, seq, state, more = {}) => ({ type: 'status', run, seq, state, ...more });

const REPORT = {
  modulesRun: 1,
  modulesTotal: 2,
  segmentsRun: 1,
  segmentsTotal: 2,
  tokens: 2,
  milliseconds: 1.5,
};

/** @param {string} run @param {number} seq @returns {Pick<Step, 'from' | 'header' | 'payload'>} */
function shortValue(run, seq) {
  const writer = new PayloadWriter();
  const value = writer.value({ dtype: 'float32', dims: [1, 1, 4], data: Float32Array.of(1, 2, 3, 4) });
  return {
    from: 'server',
    header: { type: 'value', run, seq, save: 1, value, bytes: writer.bytes },
    payload: writer.parts,
  };
}

/** @returns {readonly Step[]} */
function race() {
  const run = 'r2';
  return [
    { from: 'client', header: { type: 'run', run, model: 'demo', graph: SHORT_GRAPH }, note: '' },
    { from: 'server', header: status(run, 1, 'received'), note: '' },
    { from: 'server', header: status(run, 2, 'running'), note: '' },
    { ...shortValue(run, 3), bytes: true, note: 'The value is on its way …' },
    {
      from: 'client',
      header: { type: 'cancel', run },
      bytes: true,
      note: '… and so is a cancel. Which of 4 and 5 was sent first can’t be told from the other side.',
    },
    {
      from: 'server',
      header: status(run, 4, 'cancelled'),
      bytes: true,
      note: 'The cancel came before the terminal status, so the run ends as `cancelled`, though its only save has its value. Had it come later, this would be `completed`, and the cancel would mean nothing. Either way there is one terminal status, and the client waits for it.',
    },
    { from: 'client', header: { type: 'ack', run, seq: 4 }, bytes: true, note: '' },
  ];
}

/** @returns {readonly Step[]} */
function resumed() {
  const run = 'r3';
  return [
    {
      from: 'client',
      header: { type: 'run', run, model: 'demo', graph: SHORT_GRAPH },
      note: 'Both sides have announced `resume`; the welcome had the epoch `e-1`.',
    },
    { from: 'server', header: status(run, 1, 'received'), note: '' },
    {
      from: 'server',
      header: status(run, 2, 'running'),
      note: 'This is the last message to arrive. The connection drops; the run goes on, and the server keeps what it would have sent.',
    },
    {
      from: 'client',
      header: {
        type: 'hello',
        protocol: PROTOCOL_VERSION,
        client: { name: 'example', version: '1.0' },
        capabilities: ['resume'],
      },
      note: 'On a new connection. The welcome (left out) has the epoch `e-1` again, so the server still has its runs.',
    },
    {
      from: 'client',
      header: { type: 'resume', run, after: 2 },
      bytes: true,
      note: 'The client has taken in all up to 2, which also counts as acked.',
    },
    {
      ...shortValue(run, 3),
      bytes: true,
      note: 'Sent before the drop and lost with it; sent again, with the number that it had.',
    },
    { from: 'server', header: status(run, 4, 'completed', { report: REPORT }), note: '' },
    {
      from: 'client',
      header: { type: 'ack', run, seq: 4 },
      bytes: true,
      note: 'The server forgets the run.',
    },
    {
      from: 'client',
      header: { type: 'resume', run, after: 4 },
      note: 'A client that comes back once more finds it gone:',
    },
    {
      from: 'server',
      header: {
        type: 'error',
        run,
        errors: [{ code: 'run_lost', message: 'The server has no run r3.', run }],
      },
      bytes: true,
      note: '',
    },
  ];
}

/** The walk-throughs as Markdown. */
export function walkthrough() {
  const parts = {
    'A trace that stops early': steps(),
    'A cancel that races with the end': race(),
    'A connection that drops': resumed(),
  };
  return Object.entries(parts)
    .map(([title, list]) => [`### ${title}`, ...list.map(describeStep)].join('\n\n'))
    .join('\n\n');
}

/** @param {Step} step @param {number} index */
function describeStep({ from, header, payload = [], bytes, note }, index) {
  const message = concat(encodeFrame(header, payload));
  // What the page shows must be what the tables take.
  decodeMessage(from === 'client' ? clientMessages : serverMessages, message);
  const title = `**${index + 1}. ${from === 'client' ? 'Client → server' : 'Server → client'}: \`${header.type}\`**, ${message.length} bytes.`;
  const body = bytes ? dump(message) : json(JSON.parse(JSON.stringify(header)), '');
  return `${note ? `${title} ${note}` : title}\n\n${indent(body)}`;
}

/** @param {string} text */
const indent = (text) => text.replace(/^/gm, '    ');

/** JSON, on one line where it fits. @param {unknown} value @param {string} margin @returns {string} */
function json(value, margin) {
  const line = spaced(value);
  if (typeof value !== 'object' || value === null || margin.length + line.length <= 100) return line;
  const inner = `${margin}  `;
  const isList = Array.isArray(value);
  const members = isList
    ? value.map((member) => json(member, inner))
    : Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}: ${json(member, inner)}`);
  const [open, close] = isList ? '[]' : '{}';
  return `${open}\n${inner}${members.join(`,\n${inner}`)}\n${margin}${close}`;
}

/** @param {unknown} value @returns {string} */
function spaced(value) {
  if (Array.isArray(value)) return `[${value.map(spaced).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}: ${spaced(member)}`);
  return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`;
}

const HEX_WIDTH = 48;

/** A message as lines of bytes and what they mean. @param {Uint8Array} message */
function dump(message) {
  const length = new DataView(message.buffer, message.byteOffset).getUint32(0, true);
  /** @type {string[]} */
  const lines = [];
  /** @param {number} from @param {number} to @param {string} meaning */
  const emit = (from, to, meaning) => {
    for (let at = from; at < to; at += 16) {
      const part = [...message.subarray(at, Math.min(to, at + 16))];
      const hex = part.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
      lines.push(at === from ? `${hex.padEnd(HEX_WIDTH)} ${meaning}` : hex);
    }
  };
  emit(0, 4, `the header has ${length} bytes`);
  const header = new HeaderDump(message, emit);
  header.value(4, '', '');
  const payloadAt = Math.ceil((4 + length) / 8) * 8;
  emit(4 + length, payloadAt, 'padding to a multiple of 8');
  emit(payloadAt, message.length, `payload: ${message.length - payloadAt} bytes`);
  return lines.join('\n');
}

/** Walks the few msgpack forms that these messages use, one line a field. */
class HeaderDump {
  /** @param {Uint8Array} bytes @param {(from: number, to: number, meaning: string) => void} emit */
  constructor(bytes, emit) {
    this.bytes = bytes;
    this.emit = emit;
  }

  /**
   * @param {number} from where the field's line begins, at its key if it has one
   * @param {string} label @param {string} margin @param {number} [at] where the value begins
   * @returns {number} where it ends
   */
  value(from, label, margin, at = from) {
    const tag = this.bytes[at] ?? 0;
    const name = label === '' ? '' : `${label}: `;
    if ((tag & 0xf0) === 0x80) {
      this.emit(from, at + 1, `${margin}${name}map of ${tag & 0xf}`);
      return this.#members(at + 1, tag & 0xf, `${margin}  `, true);
    }
    if ((tag & 0xf0) === 0x90) {
      this.emit(from, at + 1, `${margin}${name}list of ${tag & 0xf}`);
      return this.#members(at + 1, tag & 0xf, `${margin}  `, false);
    }
    const [shown, end] = this.#scalar(at);
    this.emit(from, end, `${margin}${name}${shown}`);
    return end;
  }

  /** @param {number} at @param {number} count @param {string} margin @param {boolean} keyed @returns {number} */
  #members(at, count, margin, keyed) {
    let end = at;
    for (let index = 0; index < count; index++) {
      const [key, after] = keyed ? this.#scalar(end) : ['', end];
      end = this.value(end, keyed ? JSON.parse(key) : '', margin, after);
    }
    return end;
  }

  /** @param {number} at @returns {[string, number]} */
  #scalar(at) {
    const tag = this.bytes[at] ?? 0;
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset);
    if (tag <= 0x7f) return [String(tag), at + 1];
    if (tag === 0xcc) return [String(view.getUint8(at + 1)), at + 2];
    if (tag === 0xcd) return [String(view.getUint16(at + 1)), at + 3];
    if (tag === 0xce) return [String(view.getUint32(at + 1)), at + 5];
    if ((tag & 0xe0) !== 0xa0)
      throw new Error(`The walk-through has no words for tag 0x${tag.toString(16)}.`);
    const end = at + 1 + (tag & 0x1f);
    return [JSON.stringify(new TextDecoder().decode(this.bytes.subarray(at + 1, end))), end];
  }
}
