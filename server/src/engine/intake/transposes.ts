/**
 * Weights that the graph transposes before it uses them, as exporters write a head that is tied to the embeddings. Each
 * session would make and pack its own; made once here, they are weights like others, which all segments map.
 */
import { type ModelProto, type NodeProto, type TensorProto, toNumber } from '../onnx/schema.ts';
import { dimsOf } from '../onnx/tensors.ts';

/** After a weight's name: its transpose. */
const SUFFIX = '^T';
/** ONNX's data types of less than a byte. */
const PARTS_OF_BYTES: ReadonlySet<number> = new Set([21, 22, 23, 25, 26]);

/** Takes the transposes of whole matrices out of the graph: gives the weights whose transposes it wants now. */
export function takeTransposes(model: ModelProto): ReadonlySet<string> {
  const { graph } = model;
  const matrices = new Set(
    graph.initializer
      .filter((tensor) => tensor.dims.length === 2 && !PARTS_OF_BYTES.has(tensor.data_type))
      .map(({ name }) => name),
  );
  const given = new Set(graph.output.map(({ name }) => name));
  const names = new Map<string, string>();
  const taken = new Set<string>();
  graph.node = graph.node.filter((node) => {
    const [weight = ''] = node.input;
    const [result = ''] = node.output;
    if (!isTranspose(node) || !matrices.has(weight) || given.has(result)) return true;
    names.set(result, weight + SUFFIX);
    taken.add(weight);
    return false;
  });
  for (const node of graph.node) node.input = node.input.map((name) => names.get(name) ?? name);
  return taken;
}

/** The weight that a transpose was made of; undefined for any other. */
export function transposedFrom(initializer: string): string | undefined {
  return initializer.endsWith(SUFFIX) ? initializer.slice(0, -SUFFIX.length) : undefined;
}

/** The transpose of a matrix whose bytes are all in `raw_data`. */
export function transposeOf(tensor: TensorProto): TensorProto {
  const [rows = 0, columns = 0] = dimsOf(tensor);
  // A copy, for words must begin at a multiple of their size.
  const bytes = new Uint8Array(tensor.raw_data ?? []);
  const size = bytes.byteLength / Math.max(1, rows * columns);
  const Words = size === 2 ? Uint16Array : size === 4 || size === 8 ? Uint32Array : Uint8Array;
  const from = new Words(bytes.buffer);
  const to = new Words(from.length);
  const words = size / Words.BYTES_PER_ELEMENT;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const source = (row * columns + column) * words;
      const target = (column * rows + row) * words;
      for (let word = 0; word < words; word++) to[target + word] = from[source + word] ?? 0;
    }
  }
  const dims = tensor.dims.toReversed();
  return { ...tensor, name: tensor.name + SUFFIX, dims, raw_data: new Uint8Array(to.buffer) };
}

function isTranspose({ op_type, domain, attribute }: NodeProto): boolean {
  if (op_type !== 'Transpose' || (domain && domain !== 'ai.onnx')) return false;
  const permutation = attribute.find(({ name }) => name === 'perm')?.ints?.map((axis) => toNumber(axis));
  return permutation === undefined || permutation.join() === '1,0';
}
