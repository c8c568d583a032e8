/** Codes that no script with the public client meets, or that have no line of one: why, and which test has them. */
import type { ErrorCode } from '@tracewire/protocol';

const ENCODER = 'The client encodes its messages itself; the conformance cases send wrong ones.';

export const ELSEWHERE: { readonly [code in ErrorCode]?: string } = {
  bad_frame: ENCODER,
  unknown_message: ENCODER,
  unexpected_message: ENCODER,
  unsupported_version: 'It takes a server of another version; the client’s conformance cases are one.',
  protocol_violation: 'It takes a server that breaks the protocol; the client’s conformance cases are one.',
  run_conflict:
    'The client draws a new id for each run; server/src/conformance/cases/runs.ts gives one twice.',
  unknown_blob: 'The client sends what is missing; test/functions-evicted.test.ts.',
  blob_mismatch: 'The client hashes what it sends; server/src/conformance/cases/blobs.ts lies.',
  internal: 'A fault of ours. Known ones are mended.',
  behind_stop: 'A warning; test/interventions.test.ts.',
};
