/** Sends a recorded trace, or follows a run of it; what comes fills its handles (filler.ts). */
import type { Generate } from '@tracewire/protocol';
import type { Link } from './channel.ts';
import { type ExecuteOptions, Filler } from './filler.ts';
import type { CallSite } from './location.ts';
import type { Sendable } from './offload.ts';
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
export type How = { readonly detach?: true; readonly generate?: Generate | undefined } & Pick<
  RunRequest,
  'follow'
>;

export function execute(
  { conversation, model }: Link,
  recorded: Recorded<unknown>,
  { graph, payload, blobs }: Sendable,
  options: ExecuteOptions,
  site: CallSite,
  { detach, follow, generate }: How = {},
): Execution {
  const { saves } = recorded.recording;
  const { deadlineMs, batching } = options;
  const shares = batching !== undefined && conversation.welcome.capabilities.includes('batching');
  const runOptions = {
    ...(shares ? { batching } : {}),
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...(detach ? { detach } : {}),
    ...(generate ? { generate } : {}),
  };
  const filler = new Filler(recorded, options, site);
  const run = filler.start(() =>
    conversation.run(
      {
        model,
        graph,
        payload,
        blobs,
        saves: [...saves.keys()],
        options: Object.keys(runOptions).length > 0 ? runOptions : undefined,
        follow,
      },
      filler,
    ),
  );
  return { run, accepted: filler.accepted, done: filler.done, cancel: () => filler.abort() };
}
