/** Sends a recorded trace, or follows a run of it; what comes fills its handles (filler.ts). */
import type { Generate } from '@tracewire/protocol';
import type { Link } from './channel.ts';
import { type ExecuteOptions, Filler } from './filler.ts';
import { joined, type Sendable } from './joined.ts';
import type { CallSite } from './location.ts';
import type { Recorded } from './record.ts';
import type { RunRequest } from './runs.ts';

/** A run under way. */
export interface Execution {
  /** The run's id; empty if it could not be sent. */
  readonly run: string;
  /** Resolves when the server has taken the run in, or rejects as `done` does. */
  readonly accepted: Promise<void>;
  /** Resolves when the run has completed. Rejects with a `TraceError`, at once when cancelled or cut off. */
  readonly done: Promise<void>;
  /** As aborting its signal would. */
  cancel(): void;
}

/** How a run is sent: as a detached one, or not at all because the server has it (runs.ts). */
export type How = { readonly detach?: true; readonly isSession?: boolean } & Pick<RunRequest, 'follow'>;

/** `recorded`: one trace, or of a session all. */
export function execute(
  { conversation, model }: Link,
  recorded: readonly (Recorded<unknown> & { readonly generate?: Generate | undefined })[],
  sent: readonly Sendable[],
  options: ExecuteOptions,
  site: CallSite,
  { detach, follow, isSession = false }: How = {},
): Execution {
  const { deadlineMs, batching } = options;
  const shares = batching !== undefined && conversation.welcome.capabilities.includes('batching');
  const runOptions = {
    ...(shares ? { batching } : {}),
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...(detach ? { detach } : {}),
  };
  const { graphs, payload, blobs } = joined(sent);
  const traces = recorded.map(({ recording, generate }, trace) => ({
    graph: graphs[trace] ?? recording.graph,
    generate,
    saves: [...recording.saves.keys()],
  }));
  const filler = new Filler(recorded, options, site);
  const run = filler.start(() =>
    conversation.run(
      {
        model,
        traces,
        isSession,
        payload,
        blobs,
        options: Object.keys(runOptions).length > 0 ? runOptions : undefined,
        follow,
      },
      filler,
    ),
  );
  return { run, accepted: filler.accepted, done: filler.done, cancel: () => filler.abort() };
}
