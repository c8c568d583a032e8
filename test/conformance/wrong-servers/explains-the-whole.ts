import { retelling, type WrongServer } from './scaffold.ts';

interface Saved {
  readonly save: number;
  readonly bytes?: number;
}

interface Told {
  readonly modulesTotal: number;
  readonly saves: readonly Saved[];
  readonly segments: readonly object[];
}

/** Explains every trace as one of the whole model, in which nothing is idle, all is saved, and one position is computed. */
export const explainsTheWhole: WrongServer = {
  wrong: 'explains a pass of the whole model',
  caughtBy: ['explain', 'explain-idle', 'explain-saves', 'explain-positions'],
  corrupt: retelling((header) => {
    if (header.type !== 'explanation') return header;
    const told = header['explanation'] as Told;
    const { stoppedAfter: _, ...explanation } = { ...told, stoppedAfter: undefined };
    const saves = told.saves.map(({ save, bytes = 0 }) => ({ save, bytes }));
    const segments = told.segments.map((segment) => ({ ...segment, positions: 1 }));
    const whole = { ...explanation, modulesRun: told.modulesTotal, idle: [], saves, segments };
    return { ...header, explanation: whole };
  }),
};
