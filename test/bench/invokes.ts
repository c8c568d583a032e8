/** Eight prompts in one pass against eight passes. */
import type { Trace } from '@tracewire/client';
import type { Figure } from './figures.ts';
import { interleave, medians } from './interleave.ts';
import { lastLogits, REST, type Setting, someIds } from './setting.ts';

const INVOKES = 8;
const TOKENS = 10;

/** Measured where the server can run several invokes in one pass; elsewhere says so. */
export async function benchInvokes(setting: Setting): Promise<Figure[]> {
  const { capabilities } = await setting.remote.server();
  if (!capabilities.includes('invokes')) {
    console.log('\ninvokes: not measured; the server takes one input a pass.');
    return [];
  }
  const all = Array.from({ length: INVOKES }, (_, index) => someIds(setting, TOKENS).map((id) => id + index));
  const at = medians(
    await interleave(
      {
        one: () => together(setting, all),
        many: async () => {
          for (const ids of all) await setting.remote.trace(ids, lastLogits);
        },
      },
      setting.rounds,
      { rest: REST },
    ),
  );
  return [
    {
      name: `${INVOKES} invokes in one pass against ${INVOKES} passes, ${TOKENS} tokens, over the WebSocket`,
      measured: at('many') / at('one'),
      unit: '×',
      aim: 2,
      atLeast: true,
      note: `${at('one').toFixed(2)} ms against ${at('many').toFixed(2)} ms`,
    },
  ];
}

/** `model.trace` without a prompt of its own, which a client has whose server announces the capability. */
interface Batching {
  trace<T>(fn: (t: { invoke<R>(ids: readonly number[], fn: (m: Trace) => R): R }) => T): Promise<T>;
}

function together({ remote }: Setting, all: readonly (readonly number[])[]): Promise<unknown> {
  return (remote as unknown as Batching).trace((t) => all.map((ids) => t.invoke(ids, lastLogits)));
}
