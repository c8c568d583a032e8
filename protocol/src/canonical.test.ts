import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalBytes, graphHash, retryHash } from './canonical.ts';
import { decodeFrame } from './frame.ts';
import { type GraphNode, type Input, operandsOf, type Place } from './graph.ts';
import type { TensorLike } from './tensor.ts';

/** A graph whose constants stand in it. */
interface Sample {
  readonly input: Input;
  readonly nodes: readonly SampleNode[];
}
type SampleNode = Exclude<GraphNode, { kind: 'constant' }> | { kind: 'constant'; tensor: TensorLike };

function graphOf({ input, nodes }: Sample) {
  const plain = nodes.map((node): GraphNode => {
    if (node.kind !== 'constant') return node;
    const { dtype, dims, data } = node.tensor;
    return { kind: 'constant', tensor: { dtype, dims, offset: 0, length: data.byteLength } };
  });
  const constantOf = (id: number): TensorLike => {
    const node = nodes[id];
    if (node?.kind !== 'constant') throw new Error(`Node ${id} is no constant.`);
    return node.tensor;
  };
  return [{ invokes: [{ input }], nodes: plain }, constantOf] as const;
}
const hashOf = (sample: Sample): string => graphHash(...graphOf(sample));
const retryOf = (sample: Sample): string => retryHash(...graphOf(sample));

const asNode = (node: SampleNode): GraphNode =>
  graphOf({ input: { text: '' }, nodes: [node] })[0].nodes[0] as GraphNode;
const operands = (node: SampleNode): readonly number[] => operandsOf(asNode(node));

function withOperands(node: SampleNode, to: (id: number) => number): SampleNode {
  switch (node.kind) {
    case 'operator':
      return { ...node, inputs: node.inputs.map(to) };
    case 'member':
      return { ...node, of: to(node.of) };
    case 'apply':
      return { ...node, input: to(node.input) };
    case 'write':
      return { ...node, value: to(node.value), ...(node.mask === undefined ? {} : { mask: to(node.mask) }) };
    case 'skip':
    case 'save':
      return { ...node, value: to(node.value) };
    case 'log':
      return node.value === undefined ? node : { ...node, value: to(node.value) };
    default:
      return node;
  }
}

// --- Graphs: each number draws a node over the values there are; in the end all values are saved. ---

const place: fc.Arbitrary<Place> = fc.oneof(
  fc.record({
    module: fc.constantFrom('h.0', 'h.1'),
    port: fc.constant('source' as const),
    source: fc.constantFrom('a', 'b'),
  }),
  fc.record(
    {
      module: fc.constantFrom('', 'h.0', 'h.1', 'h.é'),
      port: fc.constantFrom('input', 'output'),
      member: fc.nat(1),
    },
    { requiredKeys: ['module', 'port'] },
  ),
);
const entry = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.record({ indices: fc.array(fc.integer(), { maxLength: 2 }) }),
  fc.record({ start: fc.integer(), end: fc.integer(), step: fc.constant(2) }, { requiredKeys: [] }),
);
const constant = fc.array(fc.float({ noNaN: true }), { maxLength: 3 }).map(
  (values): SampleNode => ({
    kind: 'constant',
    tensor: { dtype: 'float32', dims: [values.length], data: Float32Array.from(values) },
  }),
);
const attributes = fc.dictionary(
  fc.constantFrom('axis', 'to', 'perm', 'mode'),
  fc.oneof(
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string(),
    fc.array(fc.integer()),
  ),
  { noNullPrototype: true },
);
/** With operands drawn from all numbers; `closed` brings them below the node's id. */
const node: fc.Arbitrary<SampleNode> = fc.oneof(
  constant,
  fc.record({ kind: fc.constant('parameter' as const), name: fc.constantFrom('w', 'b') }),
  fc.record({ kind: fc.constant('read' as const), place }),
  fc.record(
    {
      kind: fc.constant('write' as const),
      place,
      value: fc.nat(),
      selection: fc.array(entry, { maxLength: 3 }),
      mask: fc.nat(),
    },
    { requiredKeys: ['kind', 'place', 'value'] },
  ),
  fc.record({ kind: fc.constant('skip' as const), module: fc.constantFrom('h.0', 'h.1'), value: fc.nat() }),
  fc.record({ kind: fc.constant('stop' as const), place }),
  fc.record(
    {
      kind: fc.constant('operator' as const),
      operator: fc.constantFrom('Add', 'Concat', 'Relu'),
      inputs: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
      attributes,
    },
    { requiredKeys: ['kind', 'operator', 'inputs'] },
  ),
  fc.record({ kind: fc.constant('member' as const), of: fc.nat(), index: fc.nat(2) }),
  fc.record({
    kind: fc.constant('apply' as const),
    module: fc.constantFrom('ln_f', 'lm_head'),
    input: fc.nat(),
  }),
  fc.record({ kind: fc.constant('save' as const), value: fc.nat() }),
  fc.record(
    { kind: fc.constant('log' as const), text: fc.string({ maxLength: 3 }), value: fc.nat() },
    { requiredKeys: ['kind'] },
  ),
);
const input: fc.Arbitrary<Input> = fc.oneof(
  fc.record({ text: fc.string({ unit: 'grapheme' }) }),
  fc.record({ ids: fc.array(fc.nat(70_000), { maxLength: 5 }) }),
);
const HAS_VALUE: ReadonlySet<string> = new Set([
  'constant',
  'parameter',
  'read',
  'operator',
  'member',
  'apply',
]);

const sample: fc.Arbitrary<Sample> = fc
  .record({ input, first: constant, drawn: fc.array(node, { maxLength: 25 }) })
  .map(({ input, first, drawn }) => {
    const nodes: SampleNode[] = [first];
    const values = [0];
    for (const open of drawn) {
      if (HAS_VALUE.has(open.kind)) values.push(nodes.length);
      const earlier = values.filter((id) => id < nodes.length);
      nodes.push(withOperands(open, (at) => earlier[at % earlier.length] ?? 0));
    }
    return { input, nodes: [...nodes, ...values.map((value) => ({ kind: 'save' as const, value }))] };
  });

// --- What leaves the meaning as it is. ---

/** Another order of the nodes: operands first, hooks of one place and logs as they were; `draws` choose. */
function reordered({ input, nodes }: Sample, draws: readonly number[]): Sample {
  const earlier = nodes.map((node, id) => [
    ...operands(node),
    ...nodes.flatMap((other, before) => (before < id && keepsOrder(node, other) ? [before] : [])),
  ]);
  const order: number[] = [];
  const left = new Set(nodes.keys());
  while (left.size > 0) {
    const ready = [...left].filter((id) => earlier[id]?.every((before) => !left.has(before)));
    const next = ready[(draws[order.length % draws.length] ?? 0) % ready.length] ?? 0;
    left.delete(next);
    order.push(next);
  }
  const moved = order.map((id) => nodes[id] as SampleNode);
  return { input, nodes: moved.map((node) => withOperands(node, (id) => order.indexOf(id))) };
}

function keepsOrder(a: SampleNode, b: SampleNode): boolean {
  if (a.kind === 'log' && b.kind === 'log') return true;
  if (!('place' in a) || !('place' in b)) return false;
  const point = ({ module, port, source }: Place): string => JSON.stringify([module, port, source]);
  return point(a.place) === point(b.place);
}

/** Another node at `at`, which nothing refers to. */
function inserted({ input, nodes }: Sample, extra: SampleNode, at: number): Sample {
  const shifted = nodes.map((node) => withOperands(node, (id) => (id < at ? id : id + 1)));
  return { input, nodes: [...shifted.slice(0, at), extra, ...shifted.slice(at)] };
}

describe('graph hash: the same', () => {
  it('for statements in another order', () => {
    fc.assert(
      fc.property(sample, fc.array(fc.nat(), { minLength: 1, maxLength: 30 }), (sample, draws) => {
        expect(hashOf(reordered(sample, draws))).toBe(hashOf(sample));
      }),
    );
  });

  it('with nodes that nothing needs', () => {
    const dead = node.filter(({ kind }) => HAS_VALUE.has(kind));
    fc.assert(
      fc.property(sample, dead, fc.nat(), (sample, extra, draw) => {
        const at = 1 + (draw % sample.nodes.length);
        const closed = withOperands(extra, () => 0);
        expect(hashOf(inserted(sample, closed, at))).toBe(hashOf(sample));
      }),
    );
  });

  it('with a value computed twice', () => {
    fc.assert(
      fc.property(sample, fc.nat(), (sample, draw) => {
        const id = draw % sample.nodes.length;
        const twin = sample.nodes[id] as SampleNode;
        fc.pre(HAS_VALUE.has(twin.kind));
        const { input, nodes } = inserted(sample, twin, id + 1);
        // Of those who use the value, the last uses the twin.
        const last = nodes.findLastIndex((node) => operands(node).includes(id));
        const rewired = nodes.map((node, at) =>
          at === last ? withOperands(node, (value) => (value === id ? id + 1 : value)) : node,
        );
        expect(hashOf({ input, nodes: rewired })).toBe(hashOf(sample));
      }),
    );
  });

  it('for fields in another order, and undefined ones', () => {
    const nodes: SampleNode[] = [
      { kind: 'read', place: { module: 'h', port: 'output' } },
      { kind: 'save', value: 0 },
    ];
    const other: SampleNode[] = [
      { place: { member: undefined, port: 'output', module: 'h' }, kind: 'read' },
      { kind: 'save', value: 0 },
    ];
    expect(hashOf({ input: { text: 'a' }, nodes: other })).toBe(hashOf({ input: { text: 'a' }, nodes }));
  });
});

// --- What changes the meaning. Each gives a node changed, or nothing where it does not apply. ---

const tensor = (change: (tensor: TensorLike) => TensorLike | undefined) => (node: SampleNode) => {
  const changed = node.kind === 'constant' ? change(node.tensor) : undefined;
  return changed && ({ kind: 'constant', tensor: changed } as const);
};

const CHANGES: Readonly<Record<string, (node: SampleNode) => SampleNode | undefined>> = {
  'a bit of a constant': tensor(({ dtype, dims, data }) => {
    const bytes = new Uint8Array(data.slice().buffer);
    if (bytes.length === 0) return undefined;
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    return { dtype, dims, data: new Float32Array(bytes.buffer) };
  }),
  'the dims of a constant': tensor((tensor) => ({ ...tensor, dims: [...tensor.dims, 1] })),
  'the dtype of a constant': tensor((tensor) => ({ ...tensor, dtype: 'int32' })),
  'the name of a parameter': (node) => (node.kind === 'parameter' ? { ...node, name: 'other' } : undefined),
  'the module of a place': (node) =>
    'place' in node ? { ...node, place: { ...node.place, module: 'other' } } : undefined,
  'the port of a place': (node) =>
    'place' in node
      ? { ...node, place: { ...node.place, port: node.place.port === 'input' ? 'output' : 'input' } }
      : undefined,
  'the member of a place': (node) =>
    'place' in node ? { ...node, place: { ...node.place, member: 7 } } : undefined,
  'a selection': (node) =>
    node.kind === 'write' ? { ...node, selection: [...(node.selection ?? []), 9] } : undefined,
  'a step in a selection': (node) =>
    node.kind === 'write' ? { ...node, selection: [...(node.selection ?? []), { step: 3 }] } : undefined,
  'the name of an operator': (node) => (node.kind === 'operator' ? { ...node, operator: 'Neg' } : undefined),
  'an attribute': (node) =>
    node.kind === 'operator' ? { ...node, attributes: { ...node.attributes, axis: 0.25 } } : undefined,
  'one input more': (node) =>
    node.kind === 'operator' ? { ...node, inputs: [...node.inputs, ...node.inputs.slice(0, 1)] } : undefined,
  'the index of a member': (node) => (node.kind === 'member' ? { ...node, index: 7 } : undefined),
  'an applied module': (node) => (node.kind === 'apply' ? { ...node, module: 'other' } : undefined),
  'the text of a log': (node) => (node.kind === 'log' ? { ...node, text: `${node.text ?? ''}.` } : undefined),
};

describe('graph hash: another', () => {
  it.each(Object.entries(CHANGES))('for %s', (_, change) => {
    let changed = 0;
    fc.assert(
      fc.property(sample, fc.nat(), (sample, draw) => {
        const fitting = [...sample.nodes.keys()].filter((id) => change(sample.nodes[id] as SampleNode));
        fc.pre(fitting.length > 0);
        const id = fitting[draw % fitting.length] ?? 0;
        const nodes = sample.nodes.with(id, change(sample.nodes[id] as SampleNode) as SampleNode);
        expect(hashOf({ ...sample, nodes })).not.toBe(hashOf(sample));
        changed += 1;
      }),
    );
    expect(changed).toBeGreaterThan(20);
  });

  it.each<[string, Input]>([
    ['text', { text: 'ab' }],
    ['more text', { text: 'ab ' }],
    ['no text', { text: '' }],
    ['ids', { ids: [1, 2] }],
    ['ids in another order', { ids: [2, 1] }],
    ['no ids', { ids: [] }],
  ])('for the input %s', (_, input) => {
    const nodes: SampleNode[] = [
      { kind: 'parameter', name: 'w' },
      { kind: 'save', value: 0 },
    ];
    expect(hashOf({ input, nodes })).not.toBe(hashOf({ input: { text: 'x' }, nodes }));
  });

  const h: Place = { module: 'h', port: 'output' };
  const read: SampleNode = { kind: 'read', place: h };
  const w: SampleNode = { kind: 'parameter', name: 'w' };
  const b: SampleNode = { kind: 'parameter', name: 'b' };
  const write = (value: number): SampleNode => ({ kind: 'write', place: h, value });
  const save = (value: number): SampleNode => ({ kind: 'save', value });
  const log = (text: string): SampleNode => ({ kind: 'log', text });
  it.each<[string, SampleNode[], SampleNode[]]>([
    ['two writes exchanged', [w, b, write(0), write(1)], [w, b, write(1), write(0)]],
    ['a read before a write', [w, write(0), read, save(2)], [w, read, write(0), save(1)]],
    ['another invoke', [read, save(0)], [{ kind: 'read', place: { ...h, invoke: 1 } }, save(0)]],
    ['invoke 0 written out', [read, save(0)], [{ kind: 'read', place: { ...h, invoke: 0 } }, save(0)]],
    ['two logs exchanged', [log('a'), log('b')], [log('b'), log('a')]],
    ['an empty text in a log', [{ kind: 'log' }], [log('')]],
    ['two saves of one value', [w, save(0)], [w, save(0), save(0)]],
    ['one save fewer', [w, b, save(0), save(1)], [w, b, save(0)]],
    ['saves in other numbers', [w, b, save(0), save(0), save(1)], [w, b, save(0), save(1), save(1)]],
    ['a stop', [read, save(0)], [read, save(0), { kind: 'stop', place: h }]],
    ['inputs exchanged', [w, b, sub(0, 1), save(2)], [w, b, sub(1, 0), save(2)]],
    ['a selection of everything', [w, write(0)], [w, { kind: 'write', place: h, value: 0, selection: [] }]],
  ])('for %s', (_, one, other) => {
    const input = { text: 'x' };
    expect(hashOf({ input, nodes: one })).not.toBe(hashOf({ input, nodes: other }));
  });

  function sub(...inputs: number[]): SampleNode {
    return { kind: 'operator', operator: 'Sub', inputs };
  }
});

describe('a batch’s hash', () => {
  const at = (invoke: number): Place => ({ module: 'h', port: 'output', ...(invoke > 0 ? { invoke } : {}) });
  const w: GraphNode = { kind: 'parameter', name: 'w' };
  const write = (invoke: number): GraphNode => ({ kind: 'write', place: at(invoke), value: 0 });
  const read = (invoke: number): GraphNode => ({ kind: 'read', place: at(invoke) });
  const save = (value: number): GraphNode => ({ kind: 'save', value });
  const hash = (nodes: readonly GraphNode[], texts = ['a', 'b']): string =>
    graphHash({ invokes: texts.map((text) => ({ input: { text } })), nodes }, () => {
      throw new Error('there are no constants');
    });

  it('does not mind in which order different invokes do something at one place', () => {
    expect(hash([w, write(0), read(1), save(2)])).toBe(hash([w, read(1), write(0), save(1)]));
    expect(hash([w, write(1), read(1), save(2)])).not.toBe(hash([w, read(1), write(1), save(1)]));
  });

  it('is another for other prompts, and for the same in another order', () => {
    const nodes = [w, read(1), save(1)];
    const all = [
      ['a', 'b'],
      ['b', 'a'],
      ['a', 'b', 'b'],
      ['a', 'c'],
    ].map((texts) => hash(nodes, texts));
    expect(new Set(all).size).toBe(4);
  });
});

describe('retry hash', () => {
  const input = { text: 'x' };
  const w: SampleNode = { kind: 'parameter', name: 'w' };
  const b: SampleNode = { kind: 'parameter', name: 'b' };
  const save = (value: number): SampleNode => ({ kind: 'save', value });

  it('is the same for the same graph', () => {
    fc.assert(
      fc.property(sample, (sample) => {
        expect(retryOf(structuredClone(sample))).toBe(retryOf(sample));
      }),
    );
  });

  it('tells apart graphs that are the same but whose saves would be taken for one another', () => {
    const one = { input, nodes: [w, b, save(0), save(1)] };
    const other = { input, nodes: [w, b, save(1), save(0)] };
    expect(hashOf(one)).toBe(hashOf(other));
    expect(retryOf(one)).not.toBe(retryOf(other));
  });

  it('does not mind another order of what has no outcome', () => {
    const one = { input, nodes: [w, b, save(0), save(1)] };
    const other = { input, nodes: [b, w, save(1), save(0)] };
    expect(retryOf(one)).toBe(retryOf(other));
  });
});

describe('canonical encoding', () => {
  it('reads back as what was written', () => {
    const refused = ['__proto__', 'constructor', 'prototype'];
    const key = fc.string({ unit: 'grapheme-ascii' }).filter((text) => !refused.includes(text));
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 3 },
        fc.maxSafeInteger(),
        fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
        fc.boolean(),
        fc.string({ unit: 'binary' }),
        fc.array(tie('any'), { maxLength: 20 }),
        fc.dictionary(key, tie('any'), { maxKeys: 20, noNullPrototype: true }),
      ),
    })).any;
    fc.assert(
      fc.property(value, (value) => {
        expect(roundTrip(value)).toEqual(value);
      }),
    );
  });

  it.each([0xff, 0x100, 0xffff, 0x10000])('has the shortest head for %i characters or items', (count) => {
    const heads = [canonicalBytes('a'.repeat(count)), canonicalBytes(Array(count).fill(1))].map(
      (bytes) => bytes.length - count,
    );
    expect(heads).toEqual([count < 0x100 ? 2 : count < 0x10000 ? 3 : 5, count < 0x10000 ? 3 : 5]);
    expect(roundTrip('é'.repeat(count))).toBe('é'.repeat(count));
  });

  it('puts a replacement for a lone surrogate, as a message does', () => {
    expect(canonicalBytes('a\ud800')).toEqual(canonicalBytes('a\ufffd'));
  });

  it.each([null, undefined, Number.NaN, Number.POSITIVE_INFINITY, 1n, () => 0, [undefined]])(
    'refuses %s',
    (value) => {
      expect(() => canonicalBytes(value)).toThrow(TypeError);
    },
  );

  /** By the codec's own decoder, as a field of a header. */
  function roundTrip(value: unknown): unknown {
    const header = canonicalBytes({ type: 't', value });
    const message = new Uint8Array(Math.ceil((4 + header.length) / 8) * 8);
    new DataView(message.buffer).setUint32(0, header.length, true);
    message.set(header, 4);
    return decodeFrame(message).header['value'];
  }
});
