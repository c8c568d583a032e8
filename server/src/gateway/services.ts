/** What the gateway offers to each of its connections. */
import type { Limits } from '@tracewire/protocol';
import type { Functions } from './blobs/functions.ts';
import type { Log } from './log.ts';
import type { Meter } from './meter.ts';
import type { ServedModel } from './served-model.ts';
import type { Batching } from './sharing.ts';

export interface Services {
  /** New at every start, so that a client knows that runs of an earlier one are gone. */
  readonly epoch: string;
  /** The server's version, for the welcome. */
  readonly version: string;
  /** By name; the first is the default. */
  readonly models: ReadonlyMap<string, ServedModel>;
  readonly limits: Limits;
  /** For runs that don't say. */
  readonly batching: Batching;
  readonly helloMs: number;
  /** How long a client may take nothing in of what it was sent. */
  readonly readMs: number;
  readonly log: Log;
  readonly meter: Meter;
  readonly functions: Functions;
  /** Whether the server takes no more runs, for it is going away. */
  readonly draining: boolean;
  /** Throws `unknown_model`. */
  model(name: string): ServedModel;
  /** A run's id towards a host. */
  nextRunId(): string;
}
