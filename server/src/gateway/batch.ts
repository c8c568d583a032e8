/** Several prompts in one pass (PROTOCOL.md, section 6.1): what it takes to ask for that, and how much of it a server does. */
import { batchFault, type Graph, type Limits, TracewireError } from '@tracewire/protocol';

/** The first field of a graph that only the capability `invokes` allows. */
export function batchField({ invokes, nodes }: Graph): string | undefined {
  if (invokes.length > 1) return 'graph.invokes';
  const id = nodes.findIndex((node) => 'place' in node && node.place.invoke !== undefined);
  return id < 0 ? undefined : `graph.nodes.${id}.place.invoke`;
}

/** Throws what refuses a batch as too large. Texts are measured where the tokenizer is; each has at least one token. */
export function checkBatch(
  { invokes }: Graph,
  { invokes: most = 1, batchTokens = Number.POSITIVE_INFINITY }: Limits,
): void {
  if (invokes.length > most) {
    throw new TracewireError({
      code: 'bad_message',
      message: `The graph has ${invokes.length} invokes; this server takes at most ${most} in a pass.`,
      path: 'graph.invokes',
      wanted: `at most ${most} invokes`,
      got: String(invokes.length),
    });
  }
  const lengths = invokes.map(({ input }) => ('ids' in input ? input.ids.length : 1));
  const fault = batchFault(lengths, batchTokens);
  if (fault) throw new TracewireError(fault);
}
