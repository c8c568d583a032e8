/** The same four traces in nnsight, in PyTorch on the same CPU and weights, measured in turn with ours. */
import type { LanguageModel } from '@tracewire/client';
import type { Figure } from './figures.ts';
import { interleave, medians } from './interleave.ts';
import type { NnsightPeer, NnsightTrace } from './nnsight-peer.ts';
import { lastLogits, middleBlock, REST, type Setting, someIds } from './setting.ts';

const NAMES: Readonly<Record<NnsightTrace, string>> = {
  empty: 'empty trace (the last logits show that it ran)',
  saves: '12 blocks saved',
  stop: 'early stop at block 0',
  patch: 'a patch at the last token',
};

export async function benchAgainstNnsight(setting: Setting, peer: NnsightPeer): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const tokens of [10, 128]) figures.push(...(await withTokens(setting, peer, tokens)));
  return figures;
}

async function withTokens(setting: Setting, peer: NnsightPeer, tokens: number): Promise<Figure[]> {
  const ids = someIds(setting, tokens);
  const kinds = Object.keys(NAMES) as NnsightTrace[];
  const things = kinds.flatMap((kind) => [
    [`nnsight ${kind}`, () => peer.time(kind, ids)] as const,
    [`remote ${kind}`, () => ours(setting, setting.remote, kind, ids)] as const,
    [`local ${kind}`, () => ours(setting, setting.local, kind, ids)] as const,
  ]);
  const at = medians(await interleave(Object.fromEntries(things), setting.rounds, { warmUp: 3, rest: REST }));
  return kinds.map((kind) => {
    const [theirs, remote, local] = [at(`nnsight ${kind}`), at(`remote ${kind}`), at(`local ${kind}`)];
    return {
      name: `${NAMES[kind]}, ${tokens} tokens: ours over the WebSocket, of nnsight’s`,
      measured: remote / theirs,
      unit: '×',
      aim: 1,
      note: `nnsight ${theirs.toFixed(2)} ms, ours ${remote.toFixed(2)} ms; in process ${local.toFixed(2)} ms, ${(local / theirs).toFixed(2)}×`,
    };
  });
}

/** The same program as nnsight_peer.py has under the same name. */
function ours(
  setting: Setting,
  model: LanguageModel,
  kind: NnsightTrace,
  ids: readonly number[],
): Promise<unknown> {
  const { blocks } = setting.description;
  switch (kind) {
    case 'empty':
      return model.trace(ids, lastLogits);
    case 'saves':
      return model.trace(ids, (m) => [
        blocks.slice(0, 12).map((block) => m.get(block).output[0].save()),
        lastLogits(m),
      ]);
    case 'stop':
      return model.trace(ids, (m) => {
        const first = m.get(blocks[0] ?? '').output;
        first.stop();
        return first[0].save();
      });
    case 'patch':
      return model.trace(ids, (m) => {
        m.get(middleBlock(setting)).output[0].slice(0, -1).set(0.1);
        return lastLogits(m);
      });
  }
}
