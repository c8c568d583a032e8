import { retelling, type WrongServer } from './scaffold.ts';

/** Runs all modules though nothing needs them, as its report admits. */
export const runsToTheEnd: WrongServer = {
  wrong: 'runs the whole pass without need',
  caughtBy: ['stop-automatic', 'stop'],
  corrupt: retelling((header) => {
    const report = header['report'] as { readonly modulesTotal: number } | undefined;
    return report ? { ...header, report: { ...report, modulesRun: report.modulesTotal } } : header;
  }),
};
