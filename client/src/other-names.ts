/** Names that people bring from PyTorch, NumPy and JavaScript's arrays for what a traced value has under another, or can't have. */

const RENAMED: Readonly<Record<string, string>> = {
  view: '.reshape(…)',
  permute: '.transpose(…)',
  T: '.transpose()',
  to: ".cast('float32')",
  type: ".cast('float32')",
  float: ".cast('float32')",
  long: ".cast('int64')",
  index_select: '.take(indices, axis)',
  amax: '.max(axes)',
  amin: '.min(axes)',
  mm: '.matmul(other)',
  bmm: '.matmul(other)',
  chunk: '.split(parts, axis)',
  unbind: '.split(parts, axis)',
  plus: '.add(other)',
  minus: '.sub(other)',
  times: '.mul(other)',
};

const PASSIVE = 'Leave it out: a traced value is not changed by what is done with it, and has no device.';
const GRADIENT = 'There are no gradients: a trace is a forward pass.';
const ONE_BY_ONE =
  'It can’t be gone through element by element: use the operations, which act on whole tensors.';
const later = (what: string, read: string): string =>
  `${what} when the trace runs: .save() it and read .value.${read}.`;

/** A sentence that says what to write instead. */
const ABSENT: Readonly<Record<string, string>> = {
  value: 'It has no value yet: call .save() and read .value after the trace.',
  dims: later('Its dims are known', 'dims'),
  shape: later('Its shape is known', 'dims'),
  size: later('Its shape is known', 'dims'),
  length: later('Its length is known', 'dims'),
  dtype: later('Its dtype is known', 'dtype'),
  data: later('Its numbers are known', 'data'),
  item: later('Its number is known', 'item()'),
  toArray: later('Its numbers are known', 'toArray()'),
  numpy: later('Its numbers are known', 'toArray()'),
  tolist: later('Its numbers are known', 'toArray()'),
  set: 'A computed value can’t be set. Write to a place: m.….output.set(value), or .output.slice(…).set(value).',
  stop: 'The pass stops at a place: write m.….output.stop().',
  clone: PASSIVE,
  detach: PASSIVE,
  cpu: PASSIVE,
  cuda: PASSIVE,
  grad: GRADIENT,
  backward: GRADIENT,
  map: ONE_BY_ONE,
  forEach: ONE_BY_ONE,
  reduce: ONE_BY_ONE,
  filter: ONE_BY_ONE,
  some: ONE_BY_ONE,
  every: ONE_BY_ONE,
};

export function otherName(key: string): string | undefined {
  if (Object.hasOwn(RENAMED, key)) return `Here it is ${RENAMED[key]}.`;
  if (Object.hasOwn(ABSENT, key)) return ABSENT[key];
  // Python's `h[:, -1]`.
  return /^[\d:,\s-]+$/.test(key) ? 'For a part of it write .slice(…), as .slice(null, -1).' : undefined;
}
