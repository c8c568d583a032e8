/**
 * Writes a sparse autoencoder as an ONNX file, without Python: the few messages of onnx.proto that it takes, as protobuf. With
 * PyTorch you would use docs/examples/python/export_function.py instead.
 */
import type { Sae } from './train.ts';

/** A field of a message: its number, and an integer, a text, bytes, or the fields of a message within. */
type Field = readonly [number: number, value: number | string | Uint8Array | readonly Field[]];

const [FLOAT, INT64] = [1, 7];

/** Inputs: `h`, `[batch, position, width]`. Outputs: its reconstruction, and its features. */
export function saeFile({ width, features, active, ...weights }: Sae): Uint8Array {
  const floats = (name: string, dims: readonly number[], values: Float32Array): Field => [
    5,
    [...dims.map((dim): Field => [1, dim]), [2, FLOAT], [8, name], [9, bytesOf(values)]],
  ];
  const integers = (name: string, ...values: readonly number[]): Field => [
    5,
    [
      [1, values.length],
      [2, INT64],
      [8, name],
      [9, bytesOf(BigInt64Array.from(values, BigInt))],
    ],
  ];
  const node = (operator: string, inputs: readonly string[], outputs: readonly string[]): Field => [
    1,
    [...inputs.map((name): Field => [1, name]), ...outputs.map((name): Field => [2, name]), [4, operator]],
  ];
  const port = (number: 11 | 12, name: string, size: number): Field => {
    const dims: Field[] = [
      [1, [[2, 'batch']]],
      [1, [[2, 'position']]],
      [1, [[1, size]]],
    ];
    return [
      number,
      [
        [1, name],
        [
          2,
          [
            [
              1,
              [
                [1, FLOAT],
                [2, dims],
              ],
            ],
          ],
        ],
      ],
    ];
  };
  const graph: Field[] = [
    node('Sub', ['h', 'bias'], ['centred']),
    node('MatMul', ['centred', 'encoder'], ['weighed']),
    node('Add', ['weighed', 'encoderBias'], ['before']),
    node('Relu', ['before'], ['positive']),
    // What is below the k-th largest is 0.
    node('TopK', ['positive', 'k'], ['top', '']),
    node('ReduceMin', ['top', 'last'], ['least']),
    node('GreaterOrEqual', ['positive', 'least'], ['isActive']),
    node('Where', ['isActive', 'positive', 'zero'], ['features']),
    node('MatMul', ['features', 'decoder'], ['directions']),
    node('Add', ['directions', 'bias'], ['reconstruction']),
    [2, 'sae'],
    floats('bias', [width], weights.bias),
    floats('encoder', [width, features], transposed(weights.encoder, features, width)),
    floats('encoderBias', [features], weights.encoderBias),
    floats('decoder', [features, width], weights.decoder),
    floats('zero', [], Float32Array.of(0)),
    integers('k', active),
    integers('last', -1),
    port(11, 'h', width),
    port(12, 'reconstruction', width),
    port(12, 'features', features),
  ];
  // IR version 10, operator set 21 of ONNX itself.
  return message([
    [1, 10],
    [7, graph],
    [
      8,
      [
        [1, ''],
        [2, 21],
      ],
    ],
  ]);
}

function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  return Float32Array.from(values, (_, at) => values[(at % rows) * columns + Math.floor(at / rows)] ?? 0);
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array | BigInt64Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

function message(fields: readonly Field[]): Uint8Array {
  return concat(
    fields.map(([number, value]) => {
      if (typeof value === 'number') return concat([varint(number * 8), varint(value)]);
      const bytes =
        typeof value === 'string'
          ? new TextEncoder().encode(value)
          : value instanceof Uint8Array
            ? value
            : message(value);
      return concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
    }),
  );
}

/** Seven bits a byte, the lowest first. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.from([...bytes, rest]);
    bytes.push((rest % 128) + 128);
  }
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
