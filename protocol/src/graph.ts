/** The intervention graph: plain data that says what to read, change, compute and save (PROTOCOL.md, section 3). */
import * as z from 'zod/mini';
import {
  type BlobRef,
  blobRef,
  name,
  path,
  sha256,
  type TensorRef,
  tensorRef,
  uint,
  utf8,
} from './fields.ts';

/** A hook's place: an input, an output or an inner value of a module, or one member of several there. */
export interface Place {
  readonly module: string;
  readonly port: Port;
  readonly member?: number | undefined;
  /** With the port `source`: the ONNX value, made inside the module. */
  readonly source?: string | undefined;
  /** The entry of `invokes` that it is about; absent is 0. */
  readonly invoke?: number | undefined;
  /** The passes of a generation in which it acts; absent is 0. */
  readonly steps?: Steps | undefined;
}

/** Where at a module: what it takes, what it gives, or a value that it makes on its way. */
export type Port = 'input' | 'output' | 'source';
/** One step, a rising list, or a range as in Python: from 0 on, and as many as come, if nothing else is said. */
export type Steps = number | readonly number[] | AxisRange;

/** A part of one axis, as in Python: `start:end:step`. */
export interface AxisRange {
  readonly start?: number | undefined;
  readonly end?: number | undefined;
  readonly step?: number | undefined;
}

/** Indices along one axis, in the order they are given; negative ones count from the end. */
export interface AxisIndices {
  readonly indices: readonly number[];
}

/**
 * One entry an axis: an index drops the axis, a range or a list of indices keeps it, each axis on its own; missing
 * axes are taken whole.
 */
export type Selection = readonly (number | AxisRange | AxisIndices)[];

/** An operator's attribute, by ONNX's types. */
export type AttributeValue = number | string | readonly number[];

/** In a run of several traces: the value that a node of an earlier one has, in a step where that has several. */
export interface EarlierNode {
  readonly kind: 'earlier';
  readonly trace: number;
  readonly node: number;
  readonly step?: number | undefined;
}

/** Nodes refer to earlier nodes by their index. */
export type GraphNode =
  | {
      readonly kind: 'constant';
      /** In the message's payload; or `blob`, with the capability of that name. */
      readonly tensor?: TensorRef | undefined;
      readonly blob?: BlobRef | undefined;
    }
  | { readonly kind: 'parameter'; readonly name: string }
  | { readonly kind: 'read'; readonly place: Place }
  | {
      readonly kind: 'write';
      readonly place: Place;
      readonly value: number;
      readonly selection?: Selection | undefined;
      /** A bool value: only where it is true is anything written. */
      readonly mask?: number | undefined;
    }
  | {
      readonly kind: 'skip';
      readonly module: string;
      readonly value: number;
      /** The entry of `invokes` for which the module doesn't run; absent is 0. */
      readonly invoke?: number | undefined;
    }
  | { readonly kind: 'stop'; readonly place: Place }
  | {
      readonly kind: 'operator';
      readonly operator: string;
      readonly inputs: readonly number[];
      readonly attributes?: Readonly<Record<string, AttributeValue>> | undefined;
    }
  | {
      /** A user's function, with the capability `functions`. */
      readonly kind: 'call';
      /** The hash of its file. */
      readonly function: string;
      readonly inputs: readonly number[];
    }
  | { readonly kind: 'member'; readonly of: number; readonly index: number }
  | { readonly kind: 'apply'; readonly module: string; readonly input: number }
  | EarlierNode
  | { readonly kind: 'save'; readonly value: number }
  | { readonly kind: 'log'; readonly text?: string | undefined; readonly value?: number | undefined };

/** What a node does. */
export type NodeKind = GraphNode['kind'];
/** The nodes of one kind. */
export type NodeOf<K extends NodeKind> = Extract<GraphNode, { kind: K }>;

/** What a forward pass starts from; feeds are the model's inputs by name, their bytes in the payload. */
export type Input =
  | { readonly text: string }
  | { readonly ids: readonly number[] }
  | { readonly feeds: Readonly<Record<string, TensorRef>> };

/** What to do in a forward pass, as plain data: its inputs, and nodes that refer to earlier ones by number. */
export interface Graph {
  /** At least one; more are several prompts in one pass, with the capability `invokes`. */
  readonly invokes: readonly { readonly input: Input }[];
  readonly nodes: readonly GraphNode[];
}

/** More nodes than any server takes; a server's own limit is in its welcome. */
export const MAX_NODES = 100_000;
/** Likewise of invokes. */
export const MAX_INVOKES = 1024;
/** Likewise of traces in a run. */
export const MAX_TRACES = 4096;

const integer = z.int();

const steps = z.union([
  uint,
  z
    .array(uint)
    .check(
      z.maxLength(4096),
      z.refine(isRising, { error: 'wanted steps that rise, each above the one before' }),
    ),
  z.strictObject({
    start: z.optional(uint),
    end: z.optional(uint),
    step: z.optional(uint.check(z.gte(1))),
  }),
]);

function isRising(list: readonly number[]): boolean {
  return list.every((step, index) => index === 0 || step > (list[index - 1] ?? 0));
}

const place = z
  .strictObject({
    module: path,
    port: z.enum(['input', 'output', 'source']),
    member: z.optional(uint),
    source: z.optional(name),
    invoke: z.optional(uint),
    steps: z.optional(steps),
  })
  .check(
    z.refine(({ port, source }) => (port === 'source') === (source !== undefined), {
      path: ['source'],
      error: 'wanted the name of a value with the port source, and none with another',
    }),
  );

const selection = z
  .array(
    z.union([
      integer,
      z.strictObject({ start: z.optional(integer), end: z.optional(integer), step: z.optional(integer) }),
      z.strictObject({ indices: z.array(integer).check(z.maxLength(65_536)) }),
    ]),
  )
  .check(z.maxLength(8));

/** One test, not a union of three, whose report would be three times as long and say less. */
const attribute = z.custom<AttributeValue>(isAttribute, {
  error: 'wanted a finite number, a string of at most 512 bytes, or a list of at most 64 integers',
});

function isAttribute(value: unknown): value is AttributeValue {
  if (typeof value === 'string') return attributeText.safeParse(value).success;
  if (Array.isArray(value)) return value.length <= 64 && value.every(Number.isSafeInteger);
  return Number.isFinite(value);
}

const attributeText = utf8(512);

const node: z.ZodMiniType<GraphNode> = z.discriminatedUnion('kind', [
  z
    .strictObject({
      kind: z.literal('constant'),
      tensor: z.optional(tensorRef),
      blob: z.optional(blobRef),
    })
    .check(
      z.refine(({ tensor, blob }) => (tensor === undefined) !== (blob === undefined), {
        path: ['tensor'],
        error: 'wanted a tensor or a blob, and not both',
      }),
      z.meta({ oneOf: [{ required: ['tensor'] }, { required: ['blob'] }] }),
    ),
  z.strictObject({ kind: z.literal('parameter'), name }),
  z.strictObject({ kind: z.literal('read'), place }),
  z.strictObject({
    kind: z.literal('write'),
    place,
    value: uint,
    selection: z.optional(selection),
    mask: z.optional(uint),
  }),
  z.strictObject({ kind: z.literal('skip'), module: name, value: uint, invoke: z.optional(uint) }),
  z.strictObject({ kind: z.literal('stop'), place }),
  z.strictObject({
    kind: z.literal('operator'),
    operator: name,
    inputs: z.array(uint).check(z.maxLength(64)),
    attributes: z.optional(z.record(name, attribute)),
  }),
  z.strictObject({
    kind: z.literal('call'),
    function: sha256,
    inputs: z.array(uint).check(z.maxLength(64)),
  }),
  z.strictObject({ kind: z.literal('member'), of: uint, index: uint }),
  z.strictObject({ kind: z.literal('apply'), module: name, input: uint }),
  z.strictObject({ kind: z.literal('earlier'), trace: uint, node: uint, step: z.optional(uint) }),
  z.strictObject({ kind: z.literal('save'), value: uint }),
  z.strictObject({
    kind: z.literal('log'),
    text: z.optional(utf8(10_000)),
    value: z.optional(uint),
  }),
]);

/** More than any model takes: a large one has a key and a value for each of its layers. */
const MAX_FEEDS = 1024;
const TOO_MANY_FEEDS = `wanted at most ${MAX_FEEDS} feeds`;
const isSmall = (feeds: object): boolean => Object.keys(feeds).length <= MAX_FEEDS;

const input: z.ZodMiniType<Input> = z.union([
  z.strictObject({ text: utf8(1024 * 1024) }),
  z.strictObject({ ids: z.array(uint).check(z.maxLength(65_536)) }),
  z.strictObject({ feeds: z.record(name, tensorRef).check(z.refine(isSmall, { error: TOO_MANY_FEEDS })) }),
]);

export const graph: z.ZodMiniType<Graph> = z.strictObject({
  invokes: z.array(z.strictObject({ input })).check(z.minLength(1), z.maxLength(MAX_INVOKES)),
  nodes: z.array(node).check(z.maxLength(MAX_NODES)),
});

/** Ids of the nodes whose values a node uses, in order. */
export function operandsOf(node: GraphNode): readonly number[] {
  switch (node.kind) {
    case 'operator':
    case 'call':
      return node.inputs;
    case 'member':
      return [node.of];
    case 'apply':
      return [node.input];
    case 'write':
      return node.mask === undefined ? [node.value] : [node.value, node.mask];
    case 'skip':
    case 'save':
      return [node.value];
    case 'log':
      return node.value === undefined ? [] : [node.value];
    default:
      return [];
  }
}

/** Where in the pass a node acts; undefined for one that acts when its operands exist. A skip acts where its module begins. */
export function placeOf(node: GraphNode): Place | undefined {
  if (node.kind === 'read' || node.kind === 'write' || node.kind === 'stop') return node.place;
  return node.kind === 'skip' ? { module: node.module, port: 'input', invoke: node.invoke } : undefined;
}

/** `transformer.h.0.output[1]`, as messages write a place; `output` alone is the whole model's. */
export function describePlace({ module, port, member, source, invoke = 0, steps }: Place): string {
  const own = source === undefined ? port : `source[${JSON.stringify(source)}]`;
  const path = module === '' ? own : `${module}.${own}`;
  const iteration = typeof steps === 'number' ? `${path}.i${steps}` : path;
  const place = member === undefined ? iteration : `${iteration}[${member}]`;
  return invoke === 0 ? place : `${place} of invoke ${invoke}`;
}
