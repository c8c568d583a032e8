import { describe, expect, it } from 'vitest';
import { decodeMessage } from './codec.ts';
import { draftFields, draftMessages, draftNodes } from './drafts.ts';
import { TracewireError } from './errors.ts';
import { encodeFrame, type Header } from './frame.ts';
import { clientMessages, serverMessages } from './messages.ts';
import { concat } from './transport.ts';

const place = { module: 'm', port: 'output' };
const run = {
  type: 'run',
  run: 'r',
  model: 'm',
  graph: {
    invokes: [{ input: { text: 'x' } }],
    nodes: [
      { kind: 'read', place },
      { kind: 'save', value: 0 },
    ],
  },
};

function refusalOf(
  header: object,
  table: typeof clientMessages | typeof serverMessages = clientMessages,
): TracewireError {
  try {
    decodeMessage(table, concat(encodeFrame(header as Header)));
  } catch (error) {
    if (error instanceof TracewireError) return error;
    throw error;
  }
  throw new Error('It was accepted.');
}

/** The run with one node in place of the read. */
const withNode = (node: object): object => ({
  ...run,
  graph: { ...run.graph, nodes: [node, { kind: 'save', value: 0 }] },
});

describe('what only a capability would allow', () => {
  it.each<[object, string, string]>([
    [{ ...run, traces: [run.graph] }, 'sessions', 'traces'],
    [withNode({ kind: 'earlier', trace: 0, node: 1 }), 'sessions', 'graph.nodes.0.kind'],
  ])('is not_offered: %j', (header, capability, path) => {
    expect(refusalOf(header).body).toMatchObject({ code: 'not_offered', wanted: capability, path });
  });

  it('is not_offered from a server too', () => {
    const chunk = { type: 'chunk', run: 'r', seq: 3, save: 1, offset: 8, trace: 1 };
    expect(refusalOf(chunk, serverMessages).body).toMatchObject({ code: 'not_offered', path: 'trace' });
  });

  it('is told apart from what is just wrong', () => {
    expect(refusalOf({ ...run, tracez: [] }).code).toBe('bad_message');
    expect(refusalOf(withNode({ kind: 'erlier', trace: 0 })).code).toBe('bad_message');
    expect(refusalOf({ type: 'blobs' }).code).toBe('unknown_message');
  });
});

describe('the drafts', () => {
  it('add nothing that the protocol has already', () => {
    for (const type of Object.keys(draftMessages)) {
      expect(Object.keys(clientMessages)).not.toContain(type);
      expect(Object.keys(serverMessages)).not.toContain(type);
    }
    for (const { messages } of draftFields) {
      for (const type of messages) expect({ ...clientMessages, ...serverMessages }).toHaveProperty(type);
    }
  });

  it('have schemas that take what the page shows', () => {
    expect(draftNodes['earlier']?.schema.safeParse({ kind: 'earlier', trace: 0, node: 3 }).success).toBe(
      true,
    );
  });
});
