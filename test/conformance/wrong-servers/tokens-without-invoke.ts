import type { WrongServer } from './scaffold.ts';

/** All tokens look like the first prompt's. */
export const tokensWithoutInvoke: WrongServer = {
  wrong: 'doesn’t say of which invoke a token is',
  caughtBy: ['batch-generate', 'batch-generate-end', 'batch-generate-seed'],
  corrupt: () => ({
    toClient: ({ invoke, ...header }, payload, pass) =>
      pass(header.type === 'token' || invoke === undefined ? header : { ...header, invoke }, payload),
  }),
};
