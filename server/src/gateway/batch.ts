/** Several prompts in one pass (PROTOCOL.md, section 6.1): what it takes to ask for that, and how much of it a server does. */
import { batchFault, type ErrorBody, type Graph, type Limits, type TraceGraph } from '@tracewire/protocol';

/** The first field of a graph that only the capability `invokes` allows. */
export function batchField({ invokes, nodes }: Graph, at: string): string | undefined {
  if (invokes.length > 1) return `${at}.invokes`;
  const id = nodes.findIndex((node) => 'place' in node && node.place.invoke !== undefined);
  return id < 0 ? undefined : `${at}.nodes.${id}.place.invoke`;
}

/** What refuses a batch as too large. Texts are measured where the tokenizer is; each has at least one token. */
export function batchFaults(
  { graph: { invokes }, generate }: TraceGraph,
  { invokes: most = 1, batchTokens = Number.POSITIVE_INFINITY }: Limits,
): ErrorBody[] {
  if (invokes.length > most) {
    const message = `The graph has ${invokes.length} invokes; this server takes at most ${most} in a pass.`;
    const facts = { path: 'graph.invokes', wanted: `at most ${most} invokes`, got: String(invokes.length) };
    return [{ code: 'bad_message', message, ...facts }];
  }
  const lengths = invokes.map(({ input }) => ('ids' in input ? input.ids.length : 1));
  const fault = batchFault(lengths, batchTokens, generate);
  return fault ? [fault] : [];
}
