/**
 * The cases of capabilities that our server doesn’t offer: a simple server that has them passes, and each wrong one is
 * caught.
 */
import { describe, expect, it } from 'vitest';
import { REQUIREMENTS } from '../../server/src/conformance/requirements.ts';
import { runCases } from '../../server/src/conformance/runner.ts';
import { SERVER_CASES } from '../../server/src/conformance/suite.ts';
import { socketTarget } from '../../server/src/conformance/websocket.ts';
import { startPartialServer, WRONGS, type Wrong } from './partial-server.ts';

const PROFILES: readonly unknown[] = ['generation', 'sessions', 'blobs', 'functions'];
/** Our own server is judged by these; the simple one doesn't play them. */
const OURS: readonly string[] = [
  'generate-skip',
  'session-cancel',
  'session-limits',
  'session-payload-order',
  'session-retry',
  'session-steps',
  'session-unsaved',
];
const CASES = SERVER_CASES.filter(({ profile, id }) => PROFILES.includes(profile) && !OURS.includes(id));

async function judge(wrong?: Wrong) {
  const server = await startPartialServer(wrong);
  try {
    return await runCases({ target: socketTarget(server.url), cases: CASES, timeoutMs: 3000 });
  } finally {
    await server.stop();
  }
}

const CAUGHT_BY: Readonly<Record<Wrong, readonly string[]>> = {
  'numbers steps from 1': ['generate', 'generate-stop'],
  'gives values without their step': [
    'generate',
    'generate-held',
    'generate-never',
    'generate-stop',
    'generate-values',
  ],
  'makes one token more': ['generate'],
  'says nothing of steps that never came': ['generate-never'],
  'takes a value of a later step for an earlier one': ['generate-write-back'],
  'joins any steps': ['generate-joined'],
  'forgets values of earlier steps': ['generate-held'],
  'gives the whole prompt in each step': ['generate-values'],
  'goes by the clock, not by the seed': ['generate-greedy', 'generate-seed'],
  'runs on after a stop': ['generate-stop'],
  'chooses after a stop': ['generate-stop'],
  'ignores stop tokens': ['generate-stop-token'],
  'ignores stop strings': ['generate-stop-string'],
  'takes any option': ['generate-options'],
  'runs past the context': ['generate-too-long'],
  'takes several prompts for one': ['batch-generate-not-announced'],
  'numbers no trace': ['session', 'session-fails', 'session-stops'],
  'takes a reference to a later trace': ['session-not-earlier'],
  'fails the run with one trace': ['session-fails'],
  'gives no cause': ['session-fails', 'session-stops'],
  'takes traces beside a graph': ['session-and-graph'],
  'runs without the blob': ['blob-unknown', 'blob-mismatch'],
  'takes any bytes': ['blob-mismatch'],
  'never knows a blob': ['blob'],
  'describes no outputs': ['function'],
  'takes any operator': ['function-wrong'],
  'refuses a part twice': ['blob-part-again'],
  'has no quota': ['blob-too-large'],
  'says no limits of blobs': ['blob-too-large'],
  'leaves parts out': ['blob-lost'],
  'takes any file': ['function-hostile-1', 'function-hostile-4', 'function-hostile-5'],
  'takes any inputs': ['function-inputs'],
  'counts a call as one': ['function-nodes'],
};

describe('a server of capabilities', () => {
  it('passes all their cases when it is right', async () => {
    const results = await judge();
    expect(results.filter(({ verdict }) => verdict !== 'passed')).toEqual([]);
    const ours = SERVER_CASES.filter(({ id }) => OURS.includes(id));
    const tested = new Set([...results, ...ours].flatMap(({ requirements }) => requirements));
    const wanted = REQUIREMENTS.filter(
      ({ profile, side }) => PROFILES.includes(profile) && side !== 'client',
    );
    expect(wanted.filter(({ id }) => !tested.has(id))).toEqual([]);
  });

  it.each(WRONGS)('that %s is caught', async (wrong) => {
    const failed = (await judge(wrong)).filter(({ verdict }) => verdict === 'failed').map(({ id }) => id);
    expect(failed).toEqual(expect.arrayContaining([...CAUGHT_BY[wrong]]));
  });
});
