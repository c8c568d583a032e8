/**
 * What capabilities add that no server of this project announces yet (PROTOCOL.md, section 6): the shape of each
 * message and field, so that all who build them build the same, and the name of the capability that one needs.
 */
import * as z from 'zod/mini';
import { TracewireError } from './errors.ts';
import { uint } from './fields.ts';
import { generate } from './generate.ts';

interface Draft {
  readonly capability: string;
  readonly schema: z.ZodMiniType;
}

/** Messages that capabilities add, by type. */
export const draftMessages: Readonly<Record<string, Draft>> = {};

/** A field that a capability adds; `*` in its path stands for any index. */
export interface DraftField extends Draft {
  readonly messages: readonly string[];
  readonly path: readonly string[];
}

const RUN = ['run'];
const RESULTS = ['value', 'chunk', 'access_error', 'log', 'token'];

export const draftFields: readonly DraftField[] = [
  {
    messages: RUN,
    path: ['traces'],
    capability: 'sessions',
    schema: z
      .array(z.strictObject({ graph: z.unknown(), generate: z.optional(generate) }))
      .check(z.minLength(1)),
  },
  { messages: RESULTS, path: ['trace'], capability: 'sessions', schema: uint },
];

/** Kinds of nodes that capabilities add. */
export const draftNodes: Readonly<Record<string, Draft>> = {
  earlier: {
    capability: 'sessions',
    schema: z.strictObject({
      kind: z.literal('earlier'),
      trace: uint,
      node: uint,
      step: z.optional(uint),
    }),
  },
};

/** The error for a header that uses what a capability would add; undefined for one that is just wrong. */
export function notOffered(header: { readonly type: string }): TracewireError | undefined {
  const { type } = header;
  if (Object.hasOwn(draftMessages, type)) return refusal('type', draftMessages[type]?.capability);
  for (const { messages, path, capability } of draftFields) {
    const found = messages.includes(type) && find(header, path);
    if (found) return refusal(found, capability);
  }
  return type === 'run' ? draftInGraph(header) : undefined;
}

function draftInGraph(header: object): TracewireError | undefined {
  const graph = field(header, 'graph');
  const nodes = field(graph, 'nodes');
  for (const [index, node] of (Array.isArray(nodes) ? nodes : []).entries()) {
    const kind = field(node, 'kind');
    if (typeof kind !== 'string' || !Object.hasOwn(draftNodes, kind)) continue;
    return refusal(`graph.nodes.${index}.kind`, draftNodes[kind]?.capability);
  }
  return undefined;
}

/** The first place where a path leads to something, or undefined. */
function find(value: unknown, path: readonly string[], walked = ''): string | undefined {
  const [step, ...rest] = path;
  if (step === undefined) return walked;
  const at = (key: string): string => (walked === '' ? key : `${walked}.${key}`);
  if (step !== '*') {
    const next = field(value, step);
    return next === undefined ? undefined : find(next, rest, at(step));
  }
  for (const [index, member] of (Array.isArray(value) ? value : []).entries()) {
    const found = find(member, rest, at(String(index)));
    if (found !== undefined) return found;
  }
  return undefined;
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Readonly<Record<string, unknown>>)[key]
    : undefined;
}

function refusal(path: string, capability: string | undefined): TracewireError {
  const message = `${path} belongs to the capability ${capability}, which has not been announced by both sides.`;
  return new TracewireError({ code: 'not_offered', message, path, wanted: capability });
}
