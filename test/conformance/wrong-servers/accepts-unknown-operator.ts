import { rewriting, type WrongServer } from './scaffold.ts';

/** Takes an operator that is not on the list for the identity. */
export const acceptsUnknownOperator: WrongServer = {
  wrong: 'accepts an unknown operator',
  caughtBy: ['error-unknown-operator'],
  corrupt: rewriting((node) => (node['operator'] === 'Conv' ? { ...node, operator: 'Abs' } : node)),
};
