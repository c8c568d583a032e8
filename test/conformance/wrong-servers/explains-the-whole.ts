import { retelling, type WrongServer } from './scaffold.ts';

interface Saved {
  readonly save: number;
  readonly bytes?: number;
}

/** Explains every trace as one of the whole model, in which nothing is idle and all is saved. */
export const explainsTheWhole: WrongServer = {
  wrong: 'explains a pass of the whole model',
  caughtBy: ['explain', 'explain-idle', 'explain-saves'],
  corrupt: retelling((header) => {
    if (header.type !== 'explanation') return header;
    const told = header['explanation'] as { readonly modulesTotal: number; readonly saves: readonly Saved[] };
    const { stoppedAfter: _, ...explanation } = { ...told, stoppedAfter: undefined };
    const saves = told.saves.map(({ save, bytes = 0 }) => ({ save, bytes }));
    return { ...header, explanation: { ...explanation, modulesRun: told.modulesTotal, idle: [], saves } };
  }),
};
