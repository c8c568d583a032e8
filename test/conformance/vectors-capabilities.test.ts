/** The vectors of capabilities, against the shapes in protocol/src/drafts.ts; and who hasn’t announced one says so. */
import {
  clientMessages,
  decodeFrame,
  decodeMessage,
  draftFields,
  draftMessages,
  draftNodes,
  serverMessages,
  TracewireError,
} from '@tracewire/protocol';
import { expect, it } from 'vitest';
import { bytesOfHex, expand, type Golden, type Hex, readVectors } from '../support/vectors.ts';

interface Wrong {
  readonly id: string;
  readonly capability: string;
  readonly direction: 'client' | 'server';
  readonly path: string;
  readonly hex: Hex;
}

type Header = Readonly<Record<string, unknown>> & { readonly type: string };

/** All that stands at a path, where `*` is any index. */
function at(value: unknown, [key, ...rest]: readonly string[]): unknown[] {
  if (key === undefined) return value === undefined ? [] : [value];
  if (typeof value !== 'object' || value === null) return [];
  const members = key === '*' ? Object.values(value) : [(value as Readonly<Record<string, unknown>>)[key]];
  return members.flatMap((member) => at(member, rest));
}

/** What of a header belongs to capabilities: whether each such part has its shape, by its capability. */
function parts(header: Header): { readonly capability: string; readonly fits: boolean }[] {
  const graphs = [header['graph'], ...at(header, ['traces', '*', 'graph'])];
  const nodes = graphs.flatMap((graph) => at(graph, ['nodes', '*'])) as { readonly kind: string }[];
  const message = draftMessages[header.type];
  return [
    ...(message ? [{ capability: message.capability, fits: message.schema.safeParse(header).success }] : []),
    ...draftFields.flatMap(({ messages, path, capability, schema }) =>
      messages.includes(header.type)
        ? at(header, path).map((field) => ({ capability, fits: schema.safeParse(field).success }))
        : [],
    ),
    ...nodes.flatMap((node) => {
      const draft = draftNodes[node.kind];
      return draft ? [{ capability: draft.capability, fits: draft.schema.safeParse(node).success }] : [];
    }),
  ];
}

function refusal(direction: 'client' | 'server', hex: Hex): unknown {
  try {
    return decodeMessage(direction === 'client' ? clientMessages : serverMessages, bytesOfHex(hex)).message;
  } catch (error) {
    return error instanceof TracewireError ? error.body : error;
  }
}

/** What the code has for good takes what is right, and says of the rest what is wrong with it. */
const OFFERED: ReadonlySet<string> = new Set(['generation', 'blobs', 'functions', 'explain']);

const golden = readVectors<Golden & { readonly capability: string }>('capabilities/golden.json').cases;
const rejections = readVectors<Wrong>('capabilities/rejections.json').cases;

it.each(golden)('$id is of $capability', ({ capability, direction, message, hex }) => {
  const { header } = decodeFrame(bytesOfHex(hex));
  expect(JSON.parse(JSON.stringify(header))).toEqual(expand(message));
  if (OFFERED.has(capability)) return expect(refusal(direction, hex)).toMatchObject({ type: header.type });
  const found = parts(header);
  expect(found.every(({ fits }) => fits)).toBe(true);
  expect(found.map((part) => part.capability)).toContain(capability);
  expect(refusal(direction, hex)).toMatchObject({ code: 'not_offered' });
});

it.each(rejections)('$id is no form of $capability', ({ capability, direction, path, hex }) => {
  if (OFFERED.has(capability)) {
    const at: unknown = expect.stringMatching(new RegExp(`^${path.replaceAll('.', '\\.')}`));
    return expect(refusal(direction, hex)).toMatchObject({ code: 'bad_message', path: at });
  }
  const wrong = parts(decodeFrame(bytesOfHex(hex)).header).filter(({ fits }) => !fits);
  expect(wrong.map((part) => part.capability)).toContain(capability);
  expect(refusal(direction, hex)).toMatchObject({ code: 'not_offered', wanted: capability });
});

it('every message, field and node of a capability is in them', () => {
  const headers = golden.map(({ hex }) => decodeFrame(bytesOfHex(hex)).header);
  const types = new Set(headers.map(({ type }) => type));
  expect(Object.keys(draftMessages).filter((type) => !types.has(type))).toEqual([]);
  const missing = draftFields.filter(
    ({ path, messages, capability }) =>
      capability !== 'invokes' &&
      !headers.some((header) => messages.includes(header.type) && at(header, path).length > 0),
  );
  expect(missing).toEqual([]);
  const kinds = headers.flatMap((header) => [
    ...at(header, ['graph', 'nodes', '*', 'kind']),
    ...at(header, ['traces', '*', 'graph', 'nodes', '*', 'kind']),
  ]);
  expect(Object.keys(draftNodes).filter((kind) => !kinds.includes(kind))).toEqual([]);
});
