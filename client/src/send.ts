/** Sends what is written down, or follows the run that is one. */
import type { Generate } from '@tracewire/protocol';
import type { Link } from './channel.ts';
import { type Execution, execute, type How } from './execute.ts';
import type { ExecuteOptions } from './filler.ts';
import type { CallSite } from './location.ts';
import { offload } from './offload.ts';
import type { Recorded } from './record.ts';

/** `traces`: the one trace of a run, or of a session all. */
export async function send(
  link: Link,
  traces: readonly (Recorded<unknown> & { readonly generate?: Generate | undefined })[],
  options: ExecuteOptions,
  site: CallSite,
  how: How,
): Promise<Execution> {
  const recordings = traces.map(({ recording }) => recording);
  const bytes = recordings.reduce((sum, { payloadBytes }) => sum + payloadBytes, 0);
  const sent =
    how.follow === undefined
      ? await Promise.all(recordings.map((recording) => offload(recording, link.conversation, bytes)))
      : recordings.map((recording) => ({ ...recording, blobs: new Map<string, Uint8Array>() }));
  return execute(link, traces, sent, options, site, how);
}
