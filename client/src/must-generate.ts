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
  const [first, ...rest] = generateFaults(recording.graph, generate, description).map((body) => ({
    body,
    location: site.location,
  }));
  if (first) throw new TraceError([first, ...rest]);
}
