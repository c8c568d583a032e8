/** A whole pass with every block's output saved, against bare `session.run` with the logits fetched. */
import type { LanguageModel } from '@tracewire/client';
import type { Figure } from './figures.ts';
import { interleave, medians } from './interleave.ts';
import { lastLogits, REST, type Setting, someIds, someOfAllLogits } from './setting.ts';

const AIMS = [
  { tokens: 128, local: 1.1, remote: 1.2 },
  { tokens: 10, local: 1.15, remote: undefined },
];

export async function benchFullPass(setting: Setting): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { tokens, local, remote } of AIMS) {
    const ids = someIds(setting, tokens);
    const pass = (model: LanguageModel, logits: typeof lastLogits) => () =>
      model.trace(ids, (m) => [
        setting.description.blocks.map((block) => m.get(block).output[0].save()),
        logits(m),
      ]);
    const at = medians(
      await interleave(
        {
          bare: () => setting.bare.run(ids),
          local: pass(setting.local, someOfAllLogits),
          remote: pass(setting.remote, someOfAllLogits),
          last: pass(setting.local, lastLogits),
        },
        setting.rounds,
        { rest: REST },
      ),
    );
    const bare = at('bare');
    for (const [name, how, aim] of [
      ['local', 'in process', local],
      ['remote', 'over the WebSocket', remote],
      ['last', 'in process, logits of the last position alone', undefined],
    ] as const) {
      figures.push({
        name: `full pass, every block saved, ${tokens} tokens, ${how}`,
        measured: at(name) / bare,
        unit: '×',
        ...(aim === undefined ? {} : { aim }),
        note: `${at(name).toFixed(2)} ms of ${bare.toFixed(2)} ms bare`,
      });
    }
  }
  return figures;
}
