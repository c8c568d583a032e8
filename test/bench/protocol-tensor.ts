/** A tensor value through the codec: its bytes on the wire, and the time there and back. */
import {
  CHUNK_BYTES,
  chunksOf,
  concat,
  decodeMessage,
  encodeFrame,
  type Header,
  PayloadReader,
  PayloadWriter,
  serverMessages,
  type TensorLike,
  type Value,
} from '@tracewire/protocol';
import { Packr } from 'msgpackr';
import { interleave } from './interleave.ts';
import { printTable } from './report.ts';

/** 4.7 MB of float32: GPT-2 small's residual stream for two prompts of 768 tokens. */
const DIMS = [2, 768, 768];
/** Stands for a run id of the client's. */
const RUN = '0123456789abcdef0123456789abcdef';

export function reportSizes(): void {
  console.log('Bytes on the wire ÷ raw bytes of one tensor value (messages and WebSocket frame heads)');
  for (const dims of [[1], [768], [10, 768], [128, 768], DIMS, [8192, 768]]) {
    const tensor = randomTensor(dims);
    const wire = messagesOf(tensor).reduce((sum, parts) => sum + wireBytes(parts), 0);
    const raw = tensor.data.byteLength;
    const ratio = (wire / raw).toFixed(5);
    console.log(
      `  float32 [${dims.join(', ')}]`.padEnd(28),
      `${raw} + ${wire - raw}`.padStart(18),
      ratio.padStart(10),
    );
  }
  console.log('');
}

export async function benchTensor(rounds: number): Promise<void> {
  const tensor = randomTensor(DIMS);
  const source = tensor.data as Float32Array<ArrayBuffer>;
  const sent = concat(framesOf(tensor));
  const withoutCopy = (tensor: TensorLike): TensorLike => {
    framesOf(tensor);
    return readValue(sent);
  };
  const things: Readonly<Record<string, () => TensorLike | Float32Array>> = {
    'memcpy into a new buffer': () => new Float32Array(source),
    'ours, one message': () => oneMessage(tensor),
    'ours, one message, without the copy': () => withoutCopy(tensor),
    'ours, chunks of 1 MiB put together again': () => inChunks(tensor),
    'msgpackr, bytes as bin': () => msgpackBin(tensor),
    'msgpackr, list of numbers': () => msgpackNumbers(tensor),
    'JSON, base64': () => base64(tensor),
    'JSON, list of numbers': () => jsonNumbers(tensor),
  };
  for (const [name, run] of Object.entries(things)) assertSame(name, run(), source);
  const timings = await interleave(
    Object.fromEntries(Object.entries(things).map(([name, run]) => [name, async () => void run()])),
    rounds,
  );
  const megabytes = (source.byteLength / 1e6).toFixed(1);
  const title = `${megabytes} MB float32: encode, copy as a socket would, decode`;
  printTable(title, timings, 'memcpy into a new buffer', 'memcpy');
}

/** One copy in all stands for the socket, in every way here that makes bytes. */
function oneMessage(tensor: TensorLike): TensorLike {
  return readValue(concat(framesOf(tensor)));
}

function framesOf(tensor: TensorLike): Uint8Array[] {
  const writer = new PayloadWriter();
  const value = writer.value(tensor);
  return encodeFrame(headerOf(value, writer.bytes), writer.parts);
}

function readValue(bytes: Uint8Array): TensorLike {
  const { message, payload } = decodeMessage(serverMessages, bytes);
  if (message.type !== 'value') throw new Error('no value');
  const reader = new PayloadReader(payload);
  const value = reader.value(message.value, 'value');
  reader.end();
  return onlyTensor(value);
}

function inChunks(tensor: TensorLike): TensorLike {
  const [first, ...rest] = messagesOf(tensor).map((parts) => decodeMessage(serverMessages, concat(parts)));
  if (first?.message.type !== 'value') throw new Error('no value');
  const whole = new Uint8Array(first.message.bytes);
  whole.set(first.payload);
  for (const { message, payload } of rest) if (message.type === 'chunk') whole.set(payload, message.offset);
  return onlyTensor(new PayloadReader(whole).value(first.message.value, 'value'));
}

/** As a server sends it: the value, then its chunks. */
function messagesOf(tensor: TensorLike): Uint8Array[][] {
  const writer = new PayloadWriter();
  const value = writer.value(tensor);
  return chunksOf(writer.parts, CHUNK_BYTES).map((payload, index) =>
    encodeFrame(
      index === 0
        ? headerOf(value, writer.bytes)
        : { type: 'chunk', run: RUN, seq: 3 + index, save: 1, offset: index * CHUNK_BYTES },
      payload,
    ),
  );
}

function headerOf(value: unknown, bytes: number): Header {
  return { type: 'value', run: RUN, seq: 3, save: 1, value, bytes };
}

/** A server's frames have no mask: 2 bytes, and 2 or 8 more for the length. Each part is a frame. */
function wireBytes(parts: readonly Uint8Array[]): number {
  const frame = (bytes: number): number => bytes + (bytes < 126 ? 2 : bytes < 65536 ? 4 : 10);
  return parts.reduce((sum, { byteLength }) => sum + frame(byteLength), 0);
}

const packr = new Packr();

function msgpackBin({ dtype, dims, data }: TensorLike): Float32Array {
  const packed = packr.pack({
    dtype,
    dims,
    data: Buffer.from(data.buffer, data.byteOffset, data.byteLength),
  });
  const { data: bytes } = packr.unpack(new Uint8Array(packed)) as { data: Uint8Array };
  // It begins where it begins in the message, which is not where a Float32Array may.
  return new Float32Array(new Uint8Array(bytes).buffer);
}

function msgpackNumbers({ dtype, dims, data }: TensorLike): Float32Array {
  const packed = packr.pack({ dtype, dims, data: Array.from(data as Float32Array) });
  return Float32Array.from((packr.unpack(new Uint8Array(packed)) as { data: number[] }).data);
}

function base64({ dtype, dims, data }: TensorLike): Float32Array {
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64');
  const sent = Buffer.from(JSON.stringify({ dtype, dims, data: text }));
  const received = JSON.parse(sent.toString()) as { data: string };
  return new Float32Array(new Uint8Array(Buffer.from(received.data, 'base64')).buffer);
}

function jsonNumbers({ dtype, dims, data }: TensorLike): Float32Array {
  const sent = Buffer.from(JSON.stringify({ dtype, dims, data: Array.from(data as Float32Array) }));
  return Float32Array.from((JSON.parse(sent.toString()) as { data: number[] }).data);
}

/** Like activations: no two numbers alike, so that no text of them is short. */
function randomTensor(dims: readonly number[]): TensorLike {
  const data = new Float32Array(dims.reduce((a, b) => a * b, 1));
  let state = 1;
  for (let index = 0; index < data.length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    data[index] = state / 2 ** 31 - 1;
  }
  return { dtype: 'float32', dims, data };
}

function onlyTensor(value: Value): TensorLike {
  if (!('dtype' in value)) throw new Error('a tuple');
  return value;
}

function assertSame(name: string, got: TensorLike | Float32Array, wanted: Float32Array): void {
  const data = 'dtype' in got ? got.data : got;
  if (data.length !== wanted.length || !wanted.every((number, index) => number === data[index])) {
    throw new Error(`${name} lost something on the way.`);
  }
}
