/** Everything the gateway bounds, each with the attack or accident that it stops. */
import { CHUNK_BYTES, type Limits } from '@tracewire/protocol';

const MIB = 1024 * 1024;

/** What a welcome announces (PROTOCOL.md, section 2.2). */
export const DEFAULT_LIMITS = {
  /** A single message that fills the memory. */
  messageBytes: 16 * MIB,
  /** A graph that takes longer to check than to run. */
  nodes: 10_000,
  /** A run that saves every activation of a long prompt. */
  savedBytes: 256 * MIB,
  /** A huge tensor made of small data: Expand, Tile, Range, Pad, OneHot, an outer broadcast. */
  intermediateBytes: 1024 * MIB,
  /** A reader slower than the model: what is sent ahead of it. */
  windowBytes: 8 * MIB,
  chunkBytes: CHUNK_BYTES,
  /** One connection that fills the queue. */
  runs: 16,
  /** A pass whose activations fill the memory: rows, and tokens in all rows. */
  invokes: 64,
  batchTokens: 4096,
  /** A run that holds the model for long before others have their turn. */
  traces: 512,
  /** Clients that are lost and never come back. */
  resumeMs: 60_000,
  /** Results that nobody fetches. */
  retainMs: 15 * 60_000,
  /** Blobs that fill the disk, of one key; and how long one stays after its last use. */
  blobBytes: 512 * MIB,
  blobMs: 60 * 60_000,
  /** A run that holds the model for ever. */
  runMs: 10 * 60_000,
  queuedRuns: 256,
  /** One key that fills the queue from many connections. */
  keyRuns: 256,
  /** Connections that cost memory and do nothing: of one key, or where there are none of all. */
  connections: 256,
  /** A client that asks in a loop: of one key, or where there are none one address. */
  requestsPerSecond: 1000,
} as const satisfies Limits;

/**
 * Runs of one key that wait for a lost client. A client that connects, starts runs and drops the line, again and again,
 * would pile them up: beyond this the run that has waited longest is given up.
 */
export const WAITING_RUNS = 64;

/** What one key's waiting runs may hold; beyond it, likewise. */
export function waitingBytes(limits: Limits): number {
  return 2 * limits.savedBytes;
}

/** Detached runs that one key may have, ended or not: beyond it new ones are told to come later. */
export const DETACHED_RUNS = 256;

/**
 * What one key's detached runs may hold: beyond it no new one is taken in. Those that are there may add as much as one
 * run may save; a value beyond that is an access error.
 */
export function detachedBytes(limits: Limits): number {
  return 3 * limits.savedBytes;
}

/** What a client is told to wait when the queue is full. */
export const QUEUE_RETRY_MS = 1000;

/** Requests (tokenize and the like) of one connection without an answer yet. */
export const OPEN_REQUESTS = 64;

/** Time for `hello`: idle connections are not free. */
export const HELLO_MS = 10_000;

/** A host's process that does not connect: a start takes a second, or some where the machine is busy. */
export const CONNECT_MS = 60_000;

/** A host that loads its model and tells nothing of it meanwhile; packing the weights of a large model is the longest step. */
export const LOADING_MS = 10 * 60_000;

/** A host that has been told to cancel, or whose run is over its time, and goes on all the same. */
export const STUCK_MS = 10_000;

/** A pass of several runs that takes longer is given up, and each runs alone: one of them must not hold the others for long. */
export const TOGETHER_MS = 30_000;

/** How often a peer must show that it lives. */
export const PING_MS = 30_000;

/** Ended runs of one connection that it has not acknowledged to the end. */
export const RETAINED_RUNS = 1024;

/** What one connection's ended runs may hold unacknowledged before it gets no more. */
export function retainedBytes(limits: Limits): number {
  return 2 * limits.savedBytes;
}

/** Bytes that may wait in one socket. Runs keep within their windows; a peer that reads nothing at all, but goes on asking, does not. */
export function socketBytes(limits: Limits): number {
  return limits.runs * (limits.windowBytes + limits.chunkBytes) + 32 * MIB;
}

/** Blobs on disk, of all keys. */
export const BLOB_DISK_BYTES = 8192 * MIB;

/** Blobs of one key: each costs a little, however small it is. */
export const KEY_BLOBS = 4096;

/** A function's file: to check it, all of it is read at once. */
export const FUNCTION_BYTES = 256 * MIB;

/** How long runs may go on when the server is told to end, unless it is told otherwise. */
export const GRACE_MS = 30_000;

/** Messages of all runs in memory; what is more goes to disk. */
export const RESULT_MEMORY_BYTES = 256 * MIB;

/** Results on disk, of all keys. */
export const RESULT_DISK_BYTES = 4096 * MIB;

/** A reader that takes in nothing, though it answers pings; a chunk over the slowest link that is served takes so long. */
export function readMs({ chunkBytes }: Limits): number {
  return 30_000 + (1000 * chunkBytes) / SLOWEST_BYTES_PER_SECOND;
}

const SLOWEST_BYTES_PER_SECOND = 1000;
