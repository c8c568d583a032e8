/** A graph with one fault, which a server refuses before anything runs. */
import type { ErrorCode } from '@tracewire/protocol';
import type { CaseContext, ConformanceCase } from './cases.ts';
import { mustEqual } from './mismatch.ts';
import type { ModelFacts } from './model-facts.ts';
import { Sketch } from './sketch.ts';

interface Fault {
  readonly code: ErrorCode;
  /** The node that the error must name; none where it is about the whole graph or its input. */
  readonly node?: number | undefined;
}

/** A graph with one fault is refused with its code and node. */
export const faulty = (
  id: string,
  requirements: readonly string[],
  shows: string,
  code: ErrorCode,
  draw: (sketch: Sketch, model: ModelFacts) => number | undefined,
): ConformanceCase => ({
  id,
  requirements: [...requirements, 'R-088'],
  shows: `${shows} is refused with ${code}`,
  run: async (context) => {
    const sketch = new Sketch({ ids: context.model.ids });
    const node = draw(sketch, context.model);
    if (node !== undefined && !sketch.nodes.some(({ kind }) => kind === 'save')) sketch.save(0);
    await mustRefuse(context, sketch, { code, node });
  },
});

/** The graph is refused with the code, at the node, and the conversation goes on. Gives the error. */
export async function mustRefuse({ open }: CaseContext, sketch: Sketch, { code, node }: Fault) {
  const peer = await open();
  const view = peer.run(sketch.request);
  const error = await view.refusedWith(code);
  if (node !== undefined && code !== 'bad_message') mustEqual('the node', error.node, node);
  await peer.mustGoOn();
  return error;
}

/** A constant to stand on. */
export const one = (sketch: Sketch): number => sketch.constant('float32', [1], [1]);
