/** What refuses a generation before it is sent. */
import {
  type Generate,
  generateFaults,
  type ModelDescription,
  TracewireError,
  type Welcome,
} from '@tracewire/protocol';
import { TraceError } from './errors.ts';
import type { CallSite } from './location.ts';
import type { Recorded } from './record.ts';

/** Throws `not_offered`, and what the model or the options refuse. */
export function mustGenerate(
  { capabilities }: Pick<Welcome, 'capabilities'>,
  description: ModelDescription,
  { recording }: Pick<Recorded<unknown>, 'recording'>,
  generate: Generate,
  site: CallSite,
): void {
  if (!capabilities.includes('generation')) {
    const message = 'The server doesn’t generate: it runs one pass. Use trace.';
    throw new TracewireError({ code: 'not_offered', message, wanted: 'generation' });
  }
  mustOfferBatch({ capabilities }, recording.graph.invokes.length);
  const [first, ...rest] = generateFaults(recording.graph, generate, description).map((body) => ({
    body,
    location: site.location,
  }));
  if (first) throw new TraceError([first, ...rest]);
}

/** Throws `not_offered` for several prompts where the server generates from one. */
export function mustOfferBatch({ capabilities }: Pick<Welcome, 'capabilities'>, invokes: number): void {
  if (invokes < 2 || capabilities.includes('batch_generation')) return;
  const message = 'The server generates from one prompt a run. Generate from them one after the other.';
  throw new TracewireError({ code: 'not_offered', message, wanted: 'batch_generation' });
}
