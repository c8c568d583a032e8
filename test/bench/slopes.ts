/** What each further saved value and each further operation costs a warm trace. */
import type { LanguageModel, Trace } from '@tracewire/client';
import type { Figure } from './figures.ts';
import { interleave, medians } from './interleave.ts';
import { REST, type Setting, someIds } from './setting.ts';

/** Few, so that the values' bytes count for little. */
const TOKENS = 2;
const OPERATIONS = 64;

export async function benchSlopes(setting: Setting): Promise<Figure[]> {
  return [
    ...(await slopesOf(setting, setting.local, 'in process')),
    ...(await slopesOf(setting, setting.remote, 'over the WebSocket')),
  ];
}

async function slopesOf(setting: Setting, model: LanguageModel, how: string): Promise<Figure[]> {
  const { modules, blocks } = setting.description;
  const ids = someIds(setting, TOKENS);
  const places = modules
    .filter(({ path, outputs, order }) => path !== '' && order.output !== undefined && outputs.length > 0)
    .map(({ path }) => path)
    .filter((path) => path !== 'lm_head');
  const last = places.at(-1) ?? '';
  const trace = (fn: (m: Trace) => unknown) => () => model.trace(ids, fn);
  const at = medians(
    await interleave(
      {
        oneSave: trace((m) => m.get(last).output[0].save()),
        allSaves: trace((m) => places.map((place) => m.get(place).output[0].save())),
        noOperation: trace((m) => m.get(blocks[0] ?? '').output[0].save()),
        operations: trace((m) => {
          let value = m.get(blocks[0] ?? '').output[0].mul(1);
          for (let count = 1; count < OPERATIONS; count++) value = value.add(count);
          return value.save();
        }),
        blocksSaved: trace((m) => blocks.map((block) => m.get(block).output[0].save())),
        blocksScaled: trace((m) => blocks.map((block) => m.get(block).output[0].mul(2).save())),
      },
      setting.rounds,
      { rest: REST },
    ),
  );
  const slope = (name: string, more: string, less: string, count: number, aim: number): Figure => ({
    name: `${name}, ${how}`,
    measured: ((at(more) - at(less)) * 1000) / count,
    unit: 'µs',
    aim,
    note: `${count} more: ${at(more).toFixed(2)} ms against ${at(less).toFixed(2)} ms`,
  });
  return [
    slope('each further saved value', 'allSaves', 'oneSave', places.length - 1, 50),
    slope('each further operation of a chain', 'operations', 'noOperation', OPERATIONS, 100),
    slope('each further operation, one a block', 'blocksScaled', 'blocksSaved', blocks.length, 100),
  ];
}
