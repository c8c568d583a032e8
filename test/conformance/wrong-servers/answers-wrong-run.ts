import { retelling, type WrongServer } from './scaffold.ts';

/** Its statuses `running` go to a run that nobody started. */
export const answersWrongRun: WrongServer = {
  wrong: 'answers the wrong run',
  caughtBy: ['always-unknown-run', 'always-seq'],
  corrupt: retelling((header) =>
    header['state'] === 'running' ? { ...header, run: 'another-run' } : header,
  ),
};
