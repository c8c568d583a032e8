import { retelling, type WrongServer } from './scaffold.ts';

/** Says nothing of hooks behind a stop. */
export const hidesWarnings: WrongServer = {
  wrong: 'keeps its warnings',
  caughtBy: ['stop-warning'],
  corrupt: retelling(({ warnings: _, ...header }) => ({ ...header, type: header.type })),
};
