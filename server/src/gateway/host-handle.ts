/** What a host is to the gateway: how one is started, what it is told, and what it tells. */
import type { Graph, Handlers, MessageOf, TraceGraph, Transport } from '@tracewire/protocol';
import type { hostCommands, hostEvents } from '../host/messages.ts';

/** A host that has just been started; nothing has been sent to it. */
export interface HostHandle {
  readonly transport: Transport;
  /** Ends it at once, whatever it is doing. */
  kill(): void;
  /** Memory of its own, without mapped files; undefined where that can't be told. */
  bytes?(): Promise<number | undefined>;
}

/** Starts a host: a process of its own (host-process.ts), or a thread for a local run. */
export type StartHost = () => Promise<HostHandle>;

/** What a host is told to load. */
export type LoadConfig = Omit<MessageOf<typeof hostCommands, 'load'>, 'type'>;
export type Loading = Omit<MessageOf<typeof hostEvents, 'loading'>, 'type'>;
export type Tokens = Pick<MessageOf<typeof hostEvents, 'tokens'>, 'ids' | 'tokens'>;

/** What a host is given to run. */
export interface Work {
  /** Of a session all; of any other run its one. */
  readonly traces: readonly TraceGraph[];
  readonly isSession: boolean;
  readonly payload: Uint8Array;
  /** The files of the blobs that the graph names. */
  readonly blobs?: readonly { readonly sha256: string; readonly path: string }[] | undefined;
}

/** What a host is given to explain. */
export interface Question extends Pick<Work, 'payload' | 'blobs'> {
  readonly graph: Graph;
}

/** The host's events of a run go to the run itself. */
export type RunEvents = Pick<
  Handlers<typeof hostEvents>,
  'progress' | 'value' | 'chunk' | 'access_error' | 'token' | 'log' | 'done'
>;
