/** Eight prompts in one pass against eight passes. */
import type { Figure } from './figures.ts';
import { interleave, medians } from './interleave.ts';
import { lastLogits, REST, type Setting, someIds } from './setting.ts';

const INVOKES = 8;
const TOKENS = 10;

export async function benchInvokes(setting: Setting): Promise<Figure[]> {
  const all = Array.from({ length: INVOKES }, (_, index) => someIds(setting, TOKENS).map((id) => id + index));
  const at = medians(
    await interleave(
      {
        one: () => setting.remote.trace((t) => all.map((ids) => t.invoke(ids, (m) => lastLogits(m)))),
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
