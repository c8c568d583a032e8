import { retelling, type WrongServer } from './scaffold.ts';

/** Writes null where a field is absent. */
export const nullFields: WrongServer = {
  wrong: 'sends null for absent fields',
  caughtBy: ['always-schema'],
  corrupt: retelling((header) => (header.type === 'status' ? { position: null, ...header } : header)),
};
