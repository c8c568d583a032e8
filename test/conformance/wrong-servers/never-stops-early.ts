import { rewriting, type WrongServer } from './scaffold.ts';

/** Reads where it should stop. */
export const neverStopsEarly: WrongServer = {
  wrong: 'never stops early',
  caughtBy: ['stop', 'stop-at-input', 'stop-earliest', 'stop-operation-behind'],
  corrupt: rewriting((node) => (node['kind'] === 'stop' ? { kind: 'read', place: node['place'] } : node)),
};
