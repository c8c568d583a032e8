/** What a write costs: warm against the same pass without it, cold against the time that loading the model takes. */
import type { Figure } from './figures.ts';
import { interleave, median, medians } from './interleave.ts';
import { insideOf, middleBlock, REST, type Setting, someIds, someOfAllLogits } from './setting.ts';

/** Blocks that the cold write is tried on. */
const FRESH = 8;

export async function benchWrites(setting: Setting): Promise<Figure[]> {
  return [...(await cold(setting)), ...(await warm(setting, 10)), ...(await warm(setting, 128))];
}

async function warm(setting: Setting, tokens: number): Promise<Figure[]> {
  const ids = someIds(setting, tokens);
  const block = middleBlock(setting);
  const inside = insideOf(setting, block);
  const at = medians(
    await interleave(
      {
        plain: () => setting.local.trace(ids, (m) => someOfAllLogits(m)),
        block: writeAt(setting, ids, block),
        inside: writeAt(setting, ids, inside),
      },
      setting.rounds,
      { rest: REST },
    ),
  );
  const figure = (name: 'block' | 'inside', place: string): Figure => ({
    name: `a write at ${place}.output, warm, ${tokens} tokens`,
    measured: at(name) / at('plain'),
    unit: '×',
    aim: 1.15,
    note: `${at(name).toFixed(2)} ms of ${at('plain').toFixed(2)} ms without it`,
  });
  return [figure('block', block), figure('inside', inside)];
}

/** The first write inside a block and at its end, for blocks that have had none: beyond the same again. */
async function cold(setting: Setting): Promise<Figure[]> {
  const ids = someIds(setting, 10);
  const kinds = { inside: (block: string) => insideOf(setting, block), end: (block: string) => block };
  const figures: Figure[] = [];
  for (const [kind, placeOf] of Object.entries(kinds)) {
    const added: number[] = [];
    for (const block of setting.description.blocks.slice(0, FRESH)) {
      const write = writeAt(setting, ids, placeOf(block));
      const first = await interleave({ write }, 1, { warmUp: 0 });
      const again = await interleave({ write }, 3, { warmUp: 0 });
      added.push(medians(first)('write') - medians(again)('write'));
    }
    const typical = median({ name: kind, samples: added.sort((a, b) => a - b) });
    figures.push({
      name: `a write ${kind === 'end' ? 'at a block’s output' : 'inside a block'}, cold: added, of the model’s load time`,
      measured: typical / setting.loadTime,
      unit: '×',
      aim: 0.2,
      note: `${typical.toFixed(1)} ms more at first, median of ${added.length} blocks; loading takes ${setting.loadTime.toFixed(0)} ms`,
    });
  }
  return figures;
}

/** Scales what a place gives; saves some of all logits, so that the whole pass runs. */
function writeAt({ local }: Setting, ids: readonly number[], place: string) {
  return () =>
    local.trace(ids, (m) => {
      const output = m.get(place).output[0];
      output.set(output.mul(0.5));
      return someOfAllLogits(m);
    });
}
