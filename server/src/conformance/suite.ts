/** All cases against a server, in the order in which they run and are reported. */

import { ALWAYS } from './cases/always.ts';
import { BATCH_GENERATION, NOT_BATCHED } from './cases/batch-generation.ts';
import { BATCHING_CASES, NOT_SHARED } from './cases/batching.ts';
import { BLOBS, FUNCTIONS } from './cases/blobs.ts';
import { CONVERSATION } from './cases/conversation.ts';
import { DESCRIPTIONS } from './cases/descriptions.ts';
import { DETACHED, NOT_DETACHED } from './cases/detach.ts';
import { EXPLAIN } from './cases/explain.ts';
import { FEED_CASES } from './cases/feeds.ts';
import { FLOW } from './cases/flow.ts';
import { FRAMES } from './cases/frames.ts';
import { GENERATION } from './cases/generation.ts';
import { HANDSHAKE } from './cases/handshake.ts';
import { HOOKS } from './cases/hooks.ts';
import { INVOKES_CASES } from './cases/invokes.ts';
import { KEYLESS, KEYS } from './cases/keys.ts';
import { MOVING } from './cases/moves.ts';
import { FAILURES, NODES } from './cases/nodes.ts';
import { OPERATOR_RESULTS } from './cases/operator-results.ts';
import { OPERATOR_CASES } from './cases/operators.ts';
import { PAYLOADS } from './cases/payloads.ts';
import { PLACES } from './cases/places.ts';
import { QUEUE } from './cases/queue.ts';
import { REFUSALS } from './cases/refusals.ts';
import { REFUSED_INPUTS } from './cases/refused-inputs.ts';
import { REFUSED_NODES } from './cases/refused-nodes.ts';
import { REFUSED_PLACES } from './cases/refused-places.ts';
import { REFUSED_WRITES } from './cases/refused-writes.ts';
import { RESUMING } from './cases/resume.ts';
import { RUNS } from './cases/runs.ts';
import { SESSIONS } from './cases/sessions.ts';
import { STOPS } from './cases/stops.ts';
import { TRIPWIRE } from './cases/tripwire.ts';
import { WRITES } from './cases/writes.ts';
import type { ConformanceCase } from './cases.ts';

export const SERVER_CASES: readonly ConformanceCase[] = [
  ...HANDSHAKE,
  ...FRAMES,
  ...PAYLOADS,
  ...CONVERSATION,
  ...DESCRIPTIONS,
  ...RUNS,
  ...FLOW,
  ...PLACES,
  ...NODES,
  ...WRITES,
  ...STOPS,
  ...FAILURES,
  ...HOOKS,
  ...TRIPWIRE,
  ...REFUSED_PLACES,
  ...REFUSED_NODES,
  ...REFUSED_WRITES,
  ...REFUSED_INPUTS,
  ...REFUSALS,
  ...FEED_CASES,
  ...OPERATOR_CASES,
  ...OPERATOR_RESULTS,
  NOT_DETACHED,
  ...RESUMING,
  ...MOVING,
  ...DETACHED,
  ...INVOKES_CASES,
  NOT_SHARED,
  ...BATCHING_CASES,
  KEYLESS,
  ...KEYS,
  ...QUEUE,
  ...GENERATION,
  NOT_BATCHED,
  ...BATCH_GENERATION,
  ...SESSIONS,
  ...BLOBS,
  ...FUNCTIONS,
  ...EXPLAIN,
  ...ALWAYS,
];
