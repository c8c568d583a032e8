/**
 * Static checks: all that a graph and a model's description tell before anything runs. The client checks as
 * it records, so that errors carry the user's line; the server checks again, for it trusts no client.
 */
import { checkInput } from './check-input.ts';
import { checkInvokes } from './check-invokes.ts';
import { CHECKS } from './check-nodes.ts';
import { checkSkips } from './check-skips.ts';
import type { ModuleDescription, PortDescription } from './description.ts';
import type { ErrorBody, ErrorCode } from './errors.ts';
import type { ReadFunction } from './functions/read-function.ts';
import {
  describePlace,
  type Graph,
  type GraphNode,
  type Input,
  operandsOf,
  type Place,
  placeOf,
  type Steps,
} from './graph.ts';
import { type HookTime, isLater, laterOf, NEVER } from './hook-time.ts';
import type { ModelIndex } from './model-index.ts';
import { nearest } from './nearest.ts';
import { leastBytes, type NodeType, type TensorType, tensor, UNKNOWN } from './node-type.ts';
import type { Dim } from './shapes/dim.ts';
import { sizedDim, sizesOfPass } from './shapes/sized.ts';
import { describeSteps, firstStep } from './steps.ts';
import { joinSteps } from './steps-of-nodes.ts';
import type { TensorLike } from './tensor.ts';
import { plural } from './words.ts';

/** What is wrong with a graph, and what it would be warned of: at most 100 of each. */
export interface CheckResult {
  readonly errors: readonly ErrorBody[];
  /** Hooks that will not fire (a stop comes first, the module around them is skipped), saves that can’t be sent. */
  readonly warnings: readonly ErrorBody[];
}

/** Most errors in one message; what comes after is not even looked at, for each look costs. */
const MAX_ERRORS = 100;

/** What the checker may be told beside the graph. The more it knows, the earlier it finds what is wrong. */
export interface Known {
  /** The tensor of a constant; small ones are axes, dims and ends of ranges. */
  readonly constant?: ((node: number) => TensorLike | undefined) | undefined;
  readonly limits?:
    | { readonly savedBytes: number; readonly intermediateBytes?: number | undefined }
    | undefined;
  /** A user's function by its hash; undefined where it isn't at hand. */
  readonly function?: ((sha256: string) => ReadFunction | undefined) | undefined;
  /** In a run of several traces: those before this one, checked already. */
  readonly earlier?: readonly GraphChecker[] | undefined;
  /** Whether the graph is run for several passes: its tokens come in any case, so it need not save anything. */
  readonly generates?: boolean | undefined;
}

/** Checks a whole graph, its inputs included. */
export function checkGraph(graph: Graph, index: ModelIndex, known: Known = {}): CheckResult {
  const checker = new GraphChecker(index, known);
  checker.graph(graph);
  return checker.finish(graph.invokes.length);
}

/** Checks a graph node by node, in program order. */
export class GraphChecker {
  readonly index: ModelIndex;
  readonly known: Known;
  readonly #nodes: GraphNode[] = [];
  readonly #types: NodeType[] = [];
  /** The latest hook that each node's value depends on. */
  readonly #times: HookTime[] = [];
  /** In which steps of a generation each node acts; undefined for what takes part in none. */
  readonly #steps: (Steps | undefined)[] = [];
  readonly #errors: ErrorBody[] = [];
  /** How many tokens the input of an invoke has, where it tells. */
  readonly #tokens = new Map<number, number>();
  /** Bytes of the operators' results, as far as they are certain. */
  #bytes = 0;
  /** Bytes that are certainly saved, once the whole graph has been looked at. */
  #saved = 0;
  #used = false;

  constructor(index: ModelIndex, known: Known = {}) {
    this.index = index;
    this.known = known;
  }

  /** The errors so far; a caller compares their number to learn whether its node made one. */
  get errors(): readonly ErrorBody[] {
    return this.#errors;
  }

  /** How many nodes there are so far. */
  get size(): number {
    return this.#nodes.length;
  }

  /** Checks the inputs and nodes of a whole graph. */
  graph({ invokes, nodes }: Graph): void {
    for (const [invoke, { input }] of invokes.entries()) this.input(input, invoke);
    for (const node of nodes) this.add(node);
    if (invokes.length > 1 && invokes.some(({ input }) => 'feeds' in input))
      this.report('bad_input', 'Feeds can’t be given in a batch of several prompts.');
  }

  /** Checks a forward pass's input as far as it needs no tokenizer. */
  input(input: Input, invoke = 0): void {
    if ('ids' in input) this.#tokens.set(invoke, input.ids.length);
    checkInput(this, input, invoke);
  }

  /** A checker for what is inside a node of this graph. */
  inner(constant: Known['constant']): GraphChecker {
    return new GraphChecker(this.index, { constant });
  }

  /** Adds a value of a known type, in place of a node that makes it. */
  given(type: TensorType): TensorType {
    this.#nodes.push({ kind: 'constant' });
    this.#times.push(NEVER);
    this.#steps.push(undefined);
    this.#types.push(type);
    return type;
  }

  /** The type of the node's value. A node with a wrong operand is still checked for all else. */
  add(node: GraphNode): NodeType {
    const id = this.#nodes.length;
    const operands = operandsOf(node);
    this.#nodes.push(node);
    this.#times.push(operands.map((operand) => this.timeOf(operand)).reduce(laterOf, NEVER));
    const type = this.#errors.length < MAX_ERRORS ? this.#check(node, operands, id) : UNKNOWN;
    this.#types.push(type);
    this.#joinSteps(node, operands, id);
    return type;
  }

  /** What a node joins must come together in each of its steps. */
  #joinSteps(node: GraphNode, operands: readonly number[], id: number): void {
    const joined = joinSteps(
      node,
      operands.map((operand) => this.#steps[operand]),
    );
    this.#steps.push(joined.steps);
    if (!joined.fault) return;
    const { code, message, wanted, got } = joined.fault;
    const path = 'place' in node ? node.place.module : 'operator' in node ? node.operator : undefined;
    const what = path === undefined ? `Node ${id} (${node.kind})` : path;
    this.report(code, `${what}: ${message}`, { node: id, path, wanted, got });
  }

  #check(node: GraphNode, operands: readonly number[], id: number): NodeType {
    for (const operand of new Set(operands)) this.#checkReference(operand, id);
    const check = CHECKS[node.kind] as (checker: GraphChecker, node: GraphNode, id: number) => NodeType;
    return check(this, node, id);
  }

  /** Notes that a later trace uses a value, so that this one need not save anything. */
  use(): void {
    this.#used = true;
  }

  /** Checks what only the whole graph tells. */
  finish(invokes: number): CheckResult {
    checkInvokes(this, this.#nodes, invokes);
    const skips = checkSkips(this.#nodes, (id) => this.#steps[id] ?? 0);
    this.#errors.push(...skips.errors);
    const warnings = [...this.#behindStop(invokes), ...skips.warnings, ...this.#tooLarge()];
    if (
      this.#errors.length === 0 &&
      !this.known.generates &&
      !this.#used &&
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

  nodeOf(node: number): GraphNode | undefined {
    return this.#nodes[node];
  }

  timeOf(node: number): HookTime {
    return this.#times[node] ?? NEVER;
  }

  /** Notes that a node acts at a place, and so not before it. */
  actsAt(place: Place, node: number): void {
    const time = this.timeAt(place, this.index.rank(place) ?? 0);
    this.#times[node] = laterOf(this.timeOf(node), time);
  }

  /** In which steps of a generation a node acts; undefined for what is of none, as a constant. */
  stepsOf(node: number): Steps | undefined {
    return this.#steps[node];
  }

  /** When a hook acts first at a place of that rank. */
  timeAt({ invoke = 0, steps = 0 }: Place, rank: number): HookTime {
    return { step: firstStep(steps) ?? 0, rank, invoke };
  }

  /** The module at a path, or an error that says what is near or why it can't be hooked. */
  module(path: string, node: number): ModuleDescription | undefined {
    const module = this.index.modules.get(path);
    if (module) return module;
    if (this.index.isContainer(path)) {
      const first = this.index.firstInside(path);
      this.report(
        'no_hook',
        `${path} holds modules but is none itself, so nothing can be read or written there. Take one of them${first === undefined ? '' : `, such as ${first}`}.`,
        { node, path, nearest: first },
      );
      return undefined;
    }
    const near = this.index.nearestModule(path);
    const { message, nearest } = this.index.noModule(path, near);
    this.report('unknown_module', message, { node, path, nearest });
    return undefined;
  }

  /** The type of what is at a place, or an error. */
  place(place: Place, node: number): NodeType {
    const module = this.module(place.module, node);
    if (!module) return UNKNOWN;
    const [first, ...rest] = this.index.portsAt(place);
    if (!first) return this.#nothingAt(place, module, node);
    this.actsAt(place, node);
    return rest.length === 0
      ? this.typeOfPort(first, place)
      : { kind: 'tuple', members: [first, ...rest].map((port) => this.typeOfPort(port, place)) };
  }

  #nothingAt(place: Place, module: ModuleDescription, node: number): NodeType {
    const at = { node, path: place.module };
    const count = this.index.portsAt({ ...place, member: undefined }).length;
    if (place.port === 'source' && count === 0) return this.#unknownSource(place, module, node);
    if (count === 0) {
      const why = module.missing ?? `it has no ${place.port}`;
      return this.report('no_hook', `${describePlace(place)} can’t be hooked: ${why}.`, at);
    }
    const members = place.port === 'input' ? module.inputs.length : count;
    const message = `${describePlace({ ...place, member: undefined })} has ${plural(members, 'member')}, so no [${place.member}].`;
    return this.report('not_a_tuple', message, {
      ...at,
      wanted: `0 to ${members - 1}`,
      got: String(place.member),
    });
  }

  #unknownSource({ module: path, source = '' }: Place, module: ModuleDescription, node: number): NodeType {
    const elsewhere = this.index.makerOf(source);
    const near =
      elsewhere === undefined
        ? nearest(
            source,
            (module.sources ?? []).map(({ name }) => name),
          )
        : undefined;
    const hint = near === undefined ? '' : ` Did you mean ${near}?`;
    const why =
      elsewhere === undefined ? `no value ${JSON.stringify(source)}.${hint}` : `it is made in ${elsewhere}.`;
    const message = `${path || 'The model'} itself makes ${elsewhere === undefined ? '' : `no ${source}: `}${why}`;
    return this.report('unknown_source', message, { node, path, got: source, nearest: near ?? elsewhere });
  }

  /** The type of a port in an invoke. Each has named axes of its own: only of token ids is it known how many there are. */
  typeOfPort(
    { dtype, dims }: PortDescription,
    { invoke = 0, steps = 0 }: Pick<Place, 'invoke' | 'steps'>,
  ): TensorType {
    // No dims is a scalar, or a rank that the exporter did not write down.
    if (dims.length === 0) return tensor(dtype);
    // Behind the prompt's pass a step is of one token; what is of both kinds has no one size.
    const first = firstStep(steps) ?? 0;
    const tokens = steps === 0 ? this.#tokens.get(invoke) : first > 0 ? 1 : undefined;
    const sizes = new Map(tokens === undefined ? [] : sizesOfPass(tokens));
    // What is in the cache at a later step depends on the prompt, which may be text.
    if (first > 0) sizes.delete('past');
    const whose = `${invoke === 0 ? '' : ` of invoke ${invoke}`}${steps === 0 ? '' : ` of steps ${describeSteps(steps)}`}`;
    const own = (name: string): Dim => sizedDim(name, sizes) ?? `${name}${whose}`;
    return tensor(dtype, {
      dims: dims.map((dim) => (typeof dim === 'number' || dim === '?' ? dim : own(dim))),
    });
  }

  /** Counts what an operator gives. Reports `too_much_memory` once it is certain that a run may not hold as much. */
  count(type: NodeType, node: number, what: string): void {
    const most = this.known.limits?.intermediateBytes ?? Number.POSITIVE_INFINITY;
    const before = this.#bytes;
    this.#bytes += leastBytes(type);
    if (before > most || this.#bytes <= most) return;
    const message = `${what} would give ${leastBytes(type)} bytes; the results of a run’s operators may take ${most}, and ${before} are taken. Slice or reduce first.`;
    this.report('too_much_memory', message, {
      node,
      path: what,
      wanted: `at most ${most - before}`,
      got: String(leastBytes(type)),
    });
  }

  /** The type of an operand that must be one tensor; undefined after an error. */
  tensorOperand(operand: number, node: number, role: string): TensorType | undefined {
    const type = this.typeOf(operand);
    if (type.kind === 'tensor') return type;
    if (type.kind === 'tuple') {
      const at = this.#nodes[operand];
      const place = at?.kind === 'read' ? at.place : undefined;
      const which = place ? `${role}, ${describePlace(place)},` : role;
      this.report(
        'tuple_value',
        `${which} is a tuple of ${plural(type.members.length, 'value')}, and a tensor is wanted. Use ${place ? describePlace(place) : ''}[0] for the one that flows on.`,
        { node, path: place?.module, wanted: 'a tensor', got: 'a tuple' },
      );
    }
    return undefined;
  }

  #checkReference(operand: number, node: number): void {
    if (operand < node && this.typeOf(operand).kind !== 'none') return;
    const facts = { node, wanted: 'an earlier node that has a value', got: `node ${operand}` };
    const why =
      operand < node
        ? `node ${operand} (${this.#nodes[operand]?.kind}) has no value`
        : `node ${operand} does not come before it`;
    this.report('bad_reference', `Node ${node} refers to node ${operand}, but ${why}.`, facts);
  }

  /** Saves that are certainly past the limit, which is of all traces of a run together. */
  #tooLarge(): ErrorBody[] {
    const most = this.known.limits?.savedBytes ?? Number.POSITIVE_INFINITY;
    const end = this.#earliestEnd();
    let taken = (this.known.earlier ?? []).reduce((sum, earlier) => sum + earlier.#saved, 0);
    this.#saved = 0;
    return this.#nodes.flatMap((node, id): ErrorBody[] => {
      // What a stop or a skip cuts off, or the end of a generation may, need not be sent.
      if (node.kind !== 'save' || isLater(this.timeOf(id), end)) return [];
      const bytes = leastBytes(this.typeOf(node.value));
      if (taken + bytes <= most) {
        taken += bytes;
        this.#saved += bytes;
        return [];
      }
      const message = `The value has ${bytes} bytes; a run may save ${most}, and ${taken} are taken. Reduce it on the server: slice, mean, topK.`;
      return [{ code: 'too_large', message, node: id, wanted: String(most - taken), got: String(bytes) }];
    });
  }

  /** Up to when it is certain that hooks act, for all that the graph tells. */
  #earliestEnd(): HookTime {
    return this.#nodes.reduce(
      (earliest, { kind }, id) =>
        (kind === 'stop' || kind === 'skip') && isLater(earliest, this.timeOf(id))
          ? this.timeOf(id)
          : earliest,
      { step: 0, rank: Number.POSITIVE_INFINITY, invoke: 0 },
    );
  }

  #behindStop(invokes: number): ErrorBody[] {
    const stops = new Map<number, { time: HookTime; place: Place }>();
    for (const node of this.#nodes) {
      if (node.kind !== 'stop') continue;
      const { place } = node;
      const rank = this.index.rank(place);
      const stop = stops.get(place.invoke ?? 0);
      const time = rank === undefined ? undefined : this.timeAt(place, rank);
      if (time && (!stop || isLater(stop.time, time))) stops.set(place.invoke ?? 0, { time, place });
    }
    const what = invokes > 1 ? 'its invoke' : 'the pass';
    return this.#nodes.flatMap((node, id): ErrorBody[] => {
      const at = node.kind === 'stop' ? undefined : placeOf(node);
      const place = at && node.kind === 'skip' ? { ...at, steps: this.#steps[id] } : at;
      const stop = place && stops.get(place.invoke ?? 0);
      if (!place || !stop || !isLater(this.timeAt(place, this.index.rank(place) ?? -1), stop.time)) return [];
      const message = `${describePlace(place)} will not be reached: ${what} stops at ${describePlace(stop.place)}.`;
      return [{ code: 'behind_stop', message, node: id, path: place.module }];
    });
  }
}
