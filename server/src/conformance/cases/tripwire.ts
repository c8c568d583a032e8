/**
 * A server that serves the fixture `tripwire` (docs/CONFORMANCE.md): its second block fails when it runs on such a token,
 * so what completes has not run it. A report can be wrong about that; this can't.
 */
import type { CaseContext, ConformanceCase } from '../cases.ts';
import { NotApplicable } from '../mismatch.ts';
import { Sketch } from '../sketch.ts';
import { oneTensor } from '../tensors.ts';

/** Out of the range of the second block's table. */
const TRIPS = 15;
const FIRST = { module: 'h.0', port: 'output' } as const;
const SECOND = { module: 'h.1', port: 'output' } as const;

const tripwireCase = (
  id: string,
  requirements: readonly string[],
  shows: string,
  run: (context: CaseContext) => Promise<void>,
): ConformanceCase => ({
  id,
  requirements,
  shows,
  run: (context) => {
    const { architecture } = context.model.description;
    if (architecture !== 'Tripwire') throw new NotApplicable('the model is not the fixture tripwire');
    return run(context);
  },
});

export const TRIPWIRE: readonly ConformanceCase[] = [
  tripwireCase(
    'tripwire-armed',
    ['R-164'],
    'without a stop the block that fails runs, and fails the run',
    async ({ open }) => {
      const sketch = new Sketch({ ids: [1, TRIPS] });
      sketch.saveRead(SECOND);
      await (await open()).run(sketch.request).ended('failed');
    },
  ),
  tripwireCase(
    'tripwire-stop',
    ['R-164'],
    'a stop before the block that fails: the run completes, for nothing behind it is computed',
    async ({ open }) => {
      const sketch = new Sketch({ ids: [1, TRIPS] });
      const late = sketch.saveRead(SECOND);
      const early = sketch.saveRead(FIRST);
      sketch.stop(FIRST);
      const view = (await open()).run(sketch.request);
      await view.ended('completed');
      oneTensor(view.value(early));
      view.accessError(late, 'not_reached');
    },
  ),
  tripwireCase(
    'tripwire-automatic',
    ['R-165'],
    'nothing needs the block that fails: the run completes, for it is not computed',
    async ({ open }) => {
      const sketch = new Sketch({ ids: [1, TRIPS] });
      const early = sketch.saveRead(FIRST);
      const view = (await open()).run(sketch.request);
      await view.ended('completed');
      oneTensor(view.value(early));
    },
  ),
];
