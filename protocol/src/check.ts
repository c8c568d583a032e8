/**
 * Static checks: all that a graph and a model's description tell before anything runs. The client checks as
 * it records, so that errors carry the user's line; the server checks again, for it trusts no client.
 */
import type { ModelDescription, ModuleDescription, PortDescription } from './description.ts';
import type { ErrorBody, ErrorCode } from './errors.ts';
import {
  describePlace,
  type Graph,
  type GraphNode,
  type Input,
  type NodeKind,
  type NodeOf,
  operandsOf,
  type Place,
  type Selection,
} from './graph.ts';
import { nearest } from './nearest.ts';
import {
  attributeFault,
  bindsT,
  inputDtypes,
  OPERATORS,
  type OperatorFacts,
  operatorFacts,
  outputDtypes,
} from './operators.ts';
import type { Dtype } from './tensor.ts';

/** What a node gives. `unknown` follows an error that has been reported. */
export type NodeType =
  | { readonly kind: 'tensor'; readonly dtype: Dtype }
  | { readonly kind: 'tuple'; readonly members: readonly NodeType[] }
  | { readonly kind: 'none' }
  | { readonly kind: 'unknown' };

const NONE: NodeType = { kind: 'none' };
const UNKNOWN: NodeType = { kind: 'unknown' };
const tensor = (dtype: Dtype): NodeType => ({ kind: 'tensor', dtype });

export interface CheckResult {
  readonly errors: readonly ErrorBody[];
  /** Hooks that will not fire because a stop comes first. */
  readonly warnings: readonly ErrorBody[];
}

/** A model's description, indexed for look-ups. Build it once a model. */
export class ModelIndex {
  readonly description: ModelDescription;
  readonly modules: ReadonlyMap<string, ModuleDescription>;
  readonly parameters: ReadonlyMap<string, { readonly dtype: Dtype; readonly dims: readonly number[] }>;
  readonly #containers = new Set<string>();

  constructor(description: ModelDescription) {
    this.description = description;
    this.modules = new Map(description.modules.map((module) => [module.path, module]));
    this.parameters = new Map(description.parameters.map((parameter) => [parameter.name, parameter]));
    for (const path of [...this.modules.keys(), ...this.parameters.keys()]) {
      for (let dot = path.lastIndexOf('.'); dot > 0; dot = path.lastIndexOf('.', dot - 1)) {
        this.#containers.add(path.slice(0, dot));
      }
    }
  }

  /** Whether a path holds modules without being one itself, such as a list of blocks. */
  isContainer(path: string): boolean {
    return this.#containers.has(path) && !this.modules.has(path);
  }

  nearestModule(path: string): string | undefined {
    return nearest(path, [...this.modules.keys(), ...this.#containers]);
  }

  /** A place's number in the total order of hook points; undefined where there is no hook point. */
  rank(place: Place): number | undefined {
    return this.modules.get(place.module)?.order[place.port];
  }
}

/** Most errors in one message; what comes after is not even looked at, for each look costs. */
const MAX_ERRORS = 100;

/** Checks a whole graph, its inputs included. */
export function checkGraph(graph: Graph, index: ModelIndex): CheckResult {
  const checker = new GraphChecker(index);
  for (const { input } of graph.invokes) checker.input(input);
  for (const node of graph.nodes) checker.add(node);
  return checker.finish();
}

/** Checks a graph node by node, in program order. */
export class GraphChecker {
  readonly index: ModelIndex;
  readonly #nodes: GraphNode[] = [];
  readonly #types: NodeType[] = [];
  /** The latest hook point that each node's value depends on; −1 for none. */
  readonly #ranks: number[] = [];
  readonly #errors: ErrorBody[] = [];

  constructor(index: ModelIndex) {
    this.index = index;
  }

  /** The errors so far; a caller compares their number to learn whether its node made one. */
  get errors(): readonly ErrorBody[] {
    return this.#errors;
  }

  /** Checks a forward pass's input as far as it needs no tokenizer. */
  input(input: Input): void {
    if (!('ids' in input)) return;
    const { contextLength, vocabularySize } = this.index.description;
    const { ids } = input;
    if (ids.length === 0) this.report('empty_input', 'The input has no token ids; give at least one.');
    if (contextLength !== undefined && ids.length > contextLength) {
      const message = `The input has ${ids.length} tokens; the model takes at most ${contextLength}.`;
      this.report('input_too_long', message, { wanted: `at most ${contextLength}`, got: String(ids.length) });
    }
    const outside = vocabularySize === undefined ? undefined : ids.find((id) => id >= vocabularySize);
    if (outside !== undefined) {
      const message = `There is no token ${outside}: the vocabulary ends at ${Number(vocabularySize) - 1}.`;
      this.report('token_out_of_range', message, { wanted: `below ${vocabularySize}`, got: String(outside) });
    }
  }

  /** The type of the node's value. A node with a wrong operand is still checked for all else. */
  add(node: GraphNode): NodeType {
    const id = this.#nodes.length;
    const operands = operandsOf(node);
    this.#nodes.push(node);
    this.#ranks.push(Math.max(-1, ...operands.map((operand) => this.#ranks[operand] ?? -1)));
    const type = this.#errors.length < MAX_ERRORS ? this.#check(node, operands, id) : UNKNOWN;
    this.#types.push(type);
    return type;
  }

  #check(node: GraphNode, operands: readonly number[], id: number): NodeType {
    for (const operand of new Set(operands)) this.#checkReference(operand, id);
    const check = CHECKS[node.kind] as (checker: GraphChecker, node: GraphNode, id: number) => NodeType;
    return check(this, node, id);
  }

  finish(): CheckResult {
    const warnings = this.#behindStop();
    if (
      this.#errors.length === 0 &&
      !this.#nodes.some((node) => node.kind === 'save' || node.kind === 'log')
    ) {
      this.report(
        'nothing_saved',
        'The trace saves nothing, so running it would show nothing. Call .save() on a value.',
      );
    }
    return { errors: this.#errors.slice(0, MAX_ERRORS), warnings: warnings.slice(0, MAX_ERRORS) };
  }

  report(code: ErrorCode, message: string, facts: Omit<ErrorBody, 'code' | 'message'> = {}): NodeType {
    this.#errors.push({ code, message, ...facts });
    return UNKNOWN;
  }

  typeOf(node: number): NodeType {
    return this.#types[node] ?? UNKNOWN;
  }

  rankOf(node: number): number {
    return this.#ranks[node] ?? -1;
  }

  raiseRank(node: number, rank: number): void {
    this.#ranks[node] = Math.max(this.rankOf(node), rank);
  }

  /** The module at a path, or an error that says what is near or why it can't be hooked. */
  module(path: string, node: number): ModuleDescription | undefined {
    const module = this.index.modules.get(path);
    if (module) return module;
    if (this.index.isContainer(path)) {
      this.report(
        'no_hook',
        `${path} holds modules but is none itself, so nothing can be read or written there.`,
        { node, path },
      );
      return undefined;
    }
    const near = this.index.nearestModule(path);
    const hint = near === undefined ? '' : ` Did you mean ${near}?`;
    this.report(
      'unknown_module',
      `${this.index.description.name} has no module ${JSON.stringify(path)}.${hint}`,
      {
        node,
        path,
        nearest: near,
      },
    );
    return undefined;
  }

  /** The type of what is at a place, or an error. */
  place(place: Place, node: number): NodeType {
    const module = this.module(place.module, node);
    if (!module) return UNKNOWN;
    const ports = portsOf(module, place);
    const first = ports[0];
    if (!first) {
      const why = module.missing ?? `it has no ${place.port}`;
      return this.report('no_hook', `${describePlace(place)} can’t be hooked: ${why}.`, {
        node,
        path: place.module,
      });
    }
    this.raiseRank(node, module.order[place.port] ?? 0);
    if (place.member === undefined) {
      return ports.length === 1
        ? tensor(first.dtype)
        : { kind: 'tuple', members: ports.map((port) => tensor(port.dtype)) };
    }
    const member = ports[place.member];
    if (member) return tensor(member.dtype);
    return this.report(
      'not_a_tuple',
      `${describePlace({ ...place, member: undefined })} has ${plural(ports.length, 'member')}, so no [${place.member}].`,
      {
        node,
        path: place.module,
        wanted: `0 to ${ports.length - 1}`,
        got: String(place.member),
      },
    );
  }

  /** The dtype of an operand that must be one tensor; undefined after an error. */
  tensorOperand(operand: number, node: number, role: string): Dtype | undefined {
    const type = this.typeOf(operand);
    if (type.kind === 'tensor') return type.dtype;
    if (type.kind === 'tuple') {
      this.report(
        'tuple_value',
        `${role} is a tuple of ${plural(type.members.length, 'value')}, and a tensor is wanted. Use [0] for the one that flows on.`,
        { node, path: this.#pathOf(operand), wanted: 'a tensor', got: 'a tuple' },
      );
    }
    return undefined;
  }

  #pathOf(node: number): string | undefined {
    const at = this.#nodes[node];
    return at?.kind === 'read' ? at.place.module : undefined;
  }

  #checkReference(operand: number, node: number): void {
    if (operand < node && this.typeOf(operand).kind !== 'none') return;
    const why =
      operand < node
        ? `node ${operand} (${this.#nodes[operand]?.kind}) has no value`
        : `node ${operand} does not come before it`;
    this.report('bad_reference', `Node ${node} refers to node ${operand}, but ${why}.`, { node });
  }

  #behindStop(): ErrorBody[] {
    let stop: { rank: number; place: Place } | undefined;
    for (const node of this.#nodes) {
      if (node.kind !== 'stop') continue;
      const rank = this.index.rank(node.place);
      if (rank !== undefined && (!stop || rank < stop.rank)) stop = { rank, place: node.place };
    }
    if (!stop) return [];
    const { rank: limit, place: at } = stop;
    return this.#nodes.flatMap((node, id): ErrorBody[] => {
      if (node.kind !== 'read' && node.kind !== 'write') return [];
      if ((this.index.rank(node.place) ?? -1) <= limit) return [];
      const message = `${describePlace(node.place)} will not be reached: the pass stops at ${describePlace(at)}.`;
      return [{ code: 'behind_stop', message, node: id, path: node.place.module }];
    });
  }
}

/** One check a kind of node; the compiler keeps the table complete. */
const CHECKS: { readonly [K in NodeKind]: (checker: GraphChecker, node: NodeOf<K>, id: number) => NodeType } =
  {
    constant: (_, node) => tensor(node.tensor.dtype),
    parameter: checkParameter,
    read: (checker, node, id) => checker.place(node.place, id),
    write: checkWrite,
    stop: (checker, node, id) => {
      checker.place(node.place, id);
      return NONE;
    },
    operator: checkOperator,
    member: checkMember,
    apply: checkApply,
    save: () => NONE,
    log: () => NONE,
  };

function checkParameter(checker: GraphChecker, node: NodeOf<'parameter'>, id: number): NodeType {
  const parameter = checker.index.parameters.get(node.name);
  if (parameter) return tensor(parameter.dtype);
  const near = nearest(node.name, checker.index.parameters.keys());
  const message = `${checker.index.description.name} has no parameter ${node.name}.${near ? ` Did you mean ${near}?` : ''}`;
  return checker.report('unknown_parameter', message, { node: id, path: node.name, nearest: near });
}

function checkWrite(checker: GraphChecker, node: NodeOf<'write'>, id: number): NodeType {
  const valueRank = checker.rankOf(node.value);
  const type = checker.place(node.place, id);
  const path = node.place.module;
  if (type.kind === 'tuple') {
    checker.report(
      'tuple_value',
      `${describePlace(node.place)} is a tuple. Write one member: ${describePlace({ ...node.place, member: 0 })}.`,
      { node: id, path, wanted: 'a tensor', got: 'a tuple' },
    );
  }
  if (type.kind !== 'tensor') return NONE;
  if (node.selection) checkSelection(checker, node, node.selection, id);
  const dtype = checker.tensorOperand(node.value, id, 'The written value');
  if (dtype && dtype !== type.dtype) {
    const message = `${describePlace(node.place)} is ${type.dtype}; the written value is ${dtype}.`;
    checker.report('wrong_dtype', message, { node: id, path, wanted: type.dtype, got: dtype });
  }
  const placeRank = checker.index.rank(node.place);
  if (placeRank !== undefined && valueRank > placeRank) {
    const message = `The value written to ${describePlace(node.place)} comes from a later module, so it can’t exist in time.`;
    checker.report('write_order', message, { node: id, path });
  }
  return NONE;
}

/** What the description's dims tell of a selection; named axes are known only when the model runs. */
function checkSelection(
  checker: GraphChecker,
  { place }: NodeOf<'write'>,
  selection: Selection,
  node: number,
): void {
  const module = checker.index.modules.get(place.module);
  const dims = (module && portsOf(module, place)[place.member ?? 0]?.dims) ?? [];
  const refuse = (what: string, wanted: string, got: string): NodeType =>
    checker.report('bad_selection', `In the selection of ${describePlace(place)}, ${what}.`, {
      node,
      path: place.module,
      wanted,
      got,
    });
  // No dims is a scalar, or a rank that the exporter did not write down.
  if (dims.length > 0 && selection.length > dims.length) {
    const wanted = `at most ${dims.length}`;
    refuse(
      `there are more entries than its ${plural(dims.length, 'axis', 'axes')}`,
      wanted,
      `${selection.length}`,
    );
  }
  for (const [axis, entry] of selection.entries()) {
    const dim = dims[axis];
    if (typeof entry !== 'number') {
      if (entry.step === 0) refuse(`axis ${axis} has step 0`, 'a step that is not 0', '0');
    } else if (typeof dim === 'number' && (entry >= dim || entry < -dim)) {
      refuse(
        `axis ${axis} has ${plural(dim, 'index', 'indices')}, so no ${entry}`,
        `${-dim} to ${dim - 1}`,
        `${entry}`,
      );
    }
  }
}

function checkOperator(checker: GraphChecker, node: NodeOf<'operator'>, id: number): NodeType {
  const { operator, inputs } = node;
  const facts = operatorFacts(operator);
  if (!facts) {
    const near = nearest(operator, Object.keys(OPERATORS));
    const message = `There is no operator ${JSON.stringify(operator)} in this protocol.${near ? ` Did you mean ${near}?` : ''}`;
    return checker.report('unknown_operator', message, { node: id, path: operator, nearest: near });
  }
  const least = facts.needs ?? (facts.variadic ? 1 : facts.inputs.length);
  const most = facts.variadic ? 64 : facts.inputs.length;
  if (inputs.length < least || inputs.length > most) {
    const wanted = least === most ? String(least) : `${least} to ${most}`;
    const message = `${operator} takes ${wanted} inputs, not ${inputs.length}.`;
    return checker.report('bad_arity', message, {
      node: id,
      path: operator,
      wanted,
      got: String(inputs.length),
    });
  }
  const fault = attributeFault(facts, node.attributes ?? {});
  if (fault) return reportAttribute(checker, node, id, fault);
  return operatorType(checker, node, id, facts);
}

/** Binds the type variable input by input, and gives the outputs' types. */
function operatorType(
  checker: GraphChecker,
  { operator, inputs, attributes = {} }: NodeOf<'operator'>,
  id: number,
  facts: OperatorFacts,
): NodeType {
  let bound: Dtype | undefined;
  for (const [position, input] of inputs.entries()) {
    const dtype = checker.tensorOperand(input, id, `Input ${position} of ${operator}`);
    if (!dtype) return UNKNOWN;
    const allowed = inputDtypes(facts, position, bound);
    if (!allowed.includes(dtype)) {
      const wanted = allowed.join(' or ');
      const message = `Input ${position} of ${operator} must be ${wanted}, not ${dtype}. Nothing is cast by itself.`;
      return checker.report('wrong_dtype', message, { node: id, path: operator, wanted, got: dtype });
    }
    if (bindsT(facts, position)) bound = dtype;
  }
  const outputs = outputDtypes(facts, bound, attributes).map((dtype) => (dtype ? tensor(dtype) : UNKNOWN));
  if (outputs.some((output) => output.kind === 'unknown')) {
    return checker.report(
      'bad_attribute',
      `Cast to ${String(attributes['to'])}: no dtype of this protocol.`,
      { node: id, path: operator },
    );
  }
  return outputs.length === 1 && outputs[0] ? outputs[0] : { kind: 'tuple', members: outputs };
}

function reportAttribute(
  checker: GraphChecker,
  { operator }: NodeOf<'operator'>,
  node: number,
  { attribute, wanted }: { readonly attribute: string; readonly wanted: string | undefined },
): NodeType {
  if (wanted) {
    const message = `${operator} wants its attribute ${attribute} as ${wanted}.`;
    return checker.report('bad_attribute', message, { node, path: `${operator}.${attribute}`, wanted });
  }
  const near = nearest(attribute, Object.keys(operatorFacts(operator)?.attributes ?? {}));
  const message = `${operator} has no attribute ${JSON.stringify(attribute)}.${near ? ` Did you mean ${near}?` : ''}`;
  return checker.report('unknown_attribute', message, {
    node,
    path: `${operator}.${attribute}`,
    nearest: near,
  });
}

function checkMember(checker: GraphChecker, node: NodeOf<'member'>, id: number): NodeType {
  const type = checker.typeOf(node.of);
  if (type.kind === 'unknown' || type.kind === 'none') return UNKNOWN;
  if (type.kind === 'tensor' && node.index === 0) return type;
  const member = type.kind === 'tuple' ? type.members[node.index] : undefined;
  if (member) return member;
  const got = type.kind === 'tuple' ? `a tuple of ${type.members.length}` : 'one tensor';
  return checker.report('not_a_tuple', `There is no member ${node.index}: the value is ${got}.`, {
    node: id,
    got,
  });
}

function checkApply(checker: GraphChecker, node: NodeOf<'apply'>, id: number): NodeType {
  const module = checker.module(node.module, id);
  if (!module) return UNKNOWN;
  const output = module.outputs[0];
  if (!module.input || !output) {
    const why = module.missing ?? 'it takes no activation';
    return checker.report('cannot_apply', `${node.module} can’t be applied: ${why}.`, {
      node: id,
      path: node.module,
    });
  }
  const dtype = checker.tensorOperand(node.input, id, `The input of ${node.module}`);
  if (!dtype) return UNKNOWN;
  if (dtype !== module.input.dtype) {
    const message = `${node.module} takes ${module.input.dtype}, not ${dtype}.`;
    return checker.report('wrong_dtype', message, {
      node: id,
      path: node.module,
      wanted: module.input.dtype,
      got: dtype,
    });
  }
  return tensor(output.dtype);
}

function portsOf(module: ModuleDescription, { port }: Place): readonly PortDescription[] {
  if (port === 'output') return module.outputs;
  return module.input ? [module.input] : [];
}

const plural = (count: number, noun: string, nouns = `${noun}s`): string =>
  `${count} ${count === 1 ? noun : nouns}`;
