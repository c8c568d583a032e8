/**
 * What a client is put through, by the sections of the page. Each case starts the client program once, with the name of
 * a trace; how the server behaves is the case's own, and unknown to the program.
 */
import type { ClientCase } from './case.ts';
import { BLOBS } from './cases/blobs.ts';
import { CONVERSATION } from './cases/conversation.ts';
import { FRAMES } from './cases/frames.ts';
import { GENERATION } from './cases/generation.ts';
import { MESSAGES } from './cases/messages.ts';
import { RESUME } from './cases/resume.ts';
import { RUNS } from './cases/runs.ts';
import { SESSIONS } from './cases/sessions.ts';
import { VALUES } from './cases/values.ts';

export type { ClientCase };

export const CLIENT_CASES: readonly ClientCase[] = [
  ...CONVERSATION,
  ...FRAMES,
  ...VALUES,
  ...MESSAGES,
  ...RUNS,
  ...RESUME,
  ...BLOBS,
  ...SESSIONS,
  ...GENERATION,
];
