/**
 * Names for values before they exist: two values of a session have one fingerprint only if the same segments made them of
 * the same inputs, with the same interventions before them. So equal fingerprints mean equal bytes.
 */
import { hash } from 'node:crypto';
import {
  bytesOf,
  type GraphNode,
  isTuple,
  type NodeOf,
  operatorFacts,
  type Value,
} from '@tracewire/protocol';
import type { Moment, Plan, PlannedSegment } from './plan.ts';
import { segmentKey } from './segment.ts';
import { POSITIONS } from './tail.ts';
import type { PlannedWrite, ValueKey } from './versions.ts';

export type Fingerprint = string;

export interface FingerprintedPass {
  /** Its number in the session. */
  readonly trace: number;
  readonly plan: Plan;
  readonly nodes: readonly GraphNode[];
  /** Tokens of each invoke. */
  readonly lengths: readonly number[];
  /** The model's feeds, by name. */
  readonly feeds: ReadonlyMap<string, Value>;
  readonly constants: ReadonlyMap<number, Value>;
}

/** What all feeds of a pass are together. */
export function inputFingerprint(feeds: ReadonlyMap<string, Value>): Fingerprint {
  return digest([...feeds].map(([name, value]) => [name, contentOf(value)]));
}

export class Fingerprints {
  readonly #pass: FingerprintedPass;
  readonly #earlier: (node: NodeOf<'earlier'>) => Fingerprint;
  readonly #values = new Map<ValueKey, Fingerprint>();
  readonly #nodes = new Map<number, Fingerprint | readonly Fingerprint[]>();
  readonly #segments = new Map<PlannedSegment, Fingerprint>();

  /** `earlier` tells the fingerprint of what a trace before it made. */
  constructor(pass: FingerprintedPass, earlier: (node: NodeOf<'earlier'>) => Fingerprint) {
    this.#pass = pass;
    this.#earlier = earlier;
    for (const [name, value] of pass.feeds) this.#values.set(name, contentOf(value));
    this.#values.set(POSITIONS, digest(pass.plan.picked?.rows ?? 'all'));
    for (const step of pass.plan.steps) {
      if (step.kind === 'segment') this.#segment(step);
      else this.#moment(step);
    }
  }

  /** Of what a segment of the pass gives under this name. */
  output(segment: PlannedSegment, name: string): Fingerprint {
    return `${this.#segments.get(segment)} ${name}`;
  }

  /** Of a node's value; undefined for one that has none in this pass. */
  node(id: number): Fingerprint | undefined {
    const known = this.#nodes.get(id) ?? this.#given(id);
    return typeof known === 'object' ? digest(['tuple', known]) : known;
  }

  #segment(step: PlannedSegment): void {
    const feeds = [...step.feeds].map(([name, key]) => [name, this.#at(key)]);
    this.#segments.set(step, digest([segmentKey(step.spec), feeds]));
    for (const name of step.fetches) this.#values.set(name, this.output(step, name));
  }

  #moment({ reads, operations, writes }: Moment): void {
    for (const { node, keys, tuple } of reads) {
      const seen = keys.map((key) => this.#part(node, this.#at(key)));
      this.#nodes.set(node, tuple ? seen : (seen[0] ?? ''));
    }
    for (const id of operations) this.#nodes.set(id, this.#operation(id));
    for (const write of writes) this.#values.set(write.after, this.#written(write));
  }

  /** Of several prompts a read sees one's rows. */
  #part(node: number, whole: Fingerprint): Fingerprint {
    const { lengths, nodes } = this.#pass;
    const read = nodes[node];
    if (lengths.length === 1 || read?.kind !== 'read') return whole;
    return digest(['part', read.place.invoke ?? 0, lengths, whole]);
  }

  #operation(id: number): Fingerprint {
    const node = this.#pass.nodes[id];
    switch (node?.kind) {
      case 'operator': {
        const { operator, inputs, attributes = {} } = node;
        const drawn = operatorFacts(operator)?.random && attributes['seed'] === undefined;
        if (drawn) return this.#own(id);
        return digest(['operator', operator, inputs.map((input) => this.node(input)), sorted(attributes)]);
      }
      case 'call':
        return this.#joined(node.inputs);
      case 'member':
        return this.#member(node.of, node.index);
      case 'apply':
        return digest(['apply', node.module, this.node(node.input)]);
      case 'parameter':
        return digest(['parameter', node.name]);
      default:
        return this.#own(id);
    }
  }

  /** What is left of a function's call is its results. */
  #joined(results: readonly number[]): Fingerprint {
    const prints = results.map((result) => this.node(result));
    return prints.length === 1 ? (prints[0] ?? '') : digest(['tuple', prints]);
  }

  #member(of: number, index: number): Fingerprint {
    const known = this.#nodes.get(of);
    if (typeof known === 'object') return known[index] ?? this.#own(of);
    // Member 0 of a single tensor is itself.
    const read = this.#pass.nodes[of];
    return known !== undefined && read?.kind === 'read' ? known : digest(['member', this.node(of), index]);
  }

  #written({ value, member, selection, mask, partial, of, before, place }: PlannedWrite): Fingerprint {
    const written = member === undefined ? this.node(value) : this.#member(value, member);
    const { lengths } = this.#pass;
    if (!partial && selection === undefined && lengths.length === 1) return written ?? '';
    const kept = partial || lengths.length > 1 ? this.#at(before) : '';
    const chosen = mask === undefined ? 0 : this.node(mask);
    return digest(['write', of, kept, written, selection ?? 0, chosen, place.invoke ?? 0, lengths]);
  }

  /** Of what is there before the pass begins. */
  #given(id: number): Fingerprint | undefined {
    const node = this.#pass.nodes[id];
    const value = node?.kind === 'constant' ? this.#pass.constants.get(id) : undefined;
    const found = node?.kind === 'earlier' ? this.#earlier(node) : value && contentOf(value);
    if (found !== undefined) this.#nodes.set(id, found);
    return found;
  }

  #at(key: ValueKey): Fingerprint {
    return this.#values.get(key) ?? `${this.#pass.trace} ${key}`;
  }

  /** Of what equals nothing else. */
  #own(id: number): Fingerprint {
    return `node ${id} of trace ${this.#pass.trace}`;
  }
}

function contentOf(value: Value): Fingerprint {
  if (isTuple(value)) return digest(value.map(contentOf));
  const { dtype, dims, data } = value;
  return digest([dtype, dims, hash('sha1', bytesOf(data))]);
}

function digest(parts: unknown): Fingerprint {
  return hash('sha1', JSON.stringify(parts));
}

function sorted(attributes: object): unknown {
  return Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
}
