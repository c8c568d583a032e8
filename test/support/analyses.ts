/** Runs the analyses of `@tracewire/client/analyses` and compares each number with what PyTorch hooks gave on the same weights. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { LanguageModel, Tensor } from '@tracewire/client';
import {
  activationPatching,
  attentionScores,
  directLogitAttribution,
  inductionWeights,
  logitLens,
  pathPatching,
} from '@tracewire/client/analyses';
import { ROOT } from './server.ts';

/** What `test/reference/analyses_reference.py` wrote. */
export interface AnalysesReference {
  readonly induction: { readonly ids: readonly number[]; readonly scores: readonly (readonly number[])[] };
  readonly patching: readonly {
    readonly cleanIds: readonly number[];
    readonly corruptedIds: readonly number[];
    readonly target: number;
    readonly versus: number;
    readonly clean: number;
    readonly corrupted: number;
    readonly patched: readonly (readonly number[])[];
  }[];
  readonly attribution: {
    readonly contributions: readonly number[];
    readonly heads: readonly (readonly number[])[];
    readonly logit: number;
  };
  readonly lens: readonly { readonly tokens: readonly number[]; readonly probabilities: readonly number[] }[];
  readonly path: {
    readonly block: number;
    readonly head: number;
    readonly next: number;
    readonly final: number;
  };
  readonly versions: Readonly<Record<string, string>>;
}

export function readAnalyses(name: string): AnalysesReference {
  return JSON.parse(
    readFileSync(path.join(ROOT, `test/reference/data/${name}-analyses.json`), 'utf8'),
  ) as AnalysesReference;
}

/** Numbers of one kind: how many, how large they get, and by how much they differ at most. */
export interface Comparison {
  readonly what: string;
  readonly numbers: number;
  readonly largest: number;
  readonly difference: number;
}

function compare(what: string, wanted: readonly number[], got: readonly number[]): Comparison {
  if (wanted.length !== got.length || wanted.length === 0)
    throw new Error(`${what}: ${wanted.length} numbers wanted, ${got.length} came.`);
  const differences = wanted.map((value, index) => Math.abs(value - (got[index] ?? Number.NaN)));
  return {
    what,
    numbers: wanted.length,
    largest: Math.max(...wanted.map(Math.abs)),
    difference: Math.max(...differences),
  };
}

const numbersOf = ({ data }: Tensor): number[] => Array.from(data, Number);

export async function compareInduction(
  model: LanguageModel,
  reference: AnalysesReference,
): Promise<Comparison> {
  const { ids, scores } = reference.induction;
  const found = await attentionScores(model, ids, inductionWeights(ids.length));
  return compare('induction scores', scores.flat(), numbersOf(found));
}

export async function comparePatching(
  model: LanguageModel,
  reference: AnalysesReference,
): Promise<Comparison[]> {
  const compared: Comparison[] = [];
  for (const [index, set] of reference.patching.entries()) {
    const { cleanIds: clean, corruptedIds: corrupted, target, versus } = set;
    const found = await activationPatching(model, { clean, corrupted, target, versus });
    compared.push(
      compare(
        `activation patching, prompt set ${index + 1}`,
        [set.clean, set.corrupted, ...set.patched.flat()],
        [found.clean, found.corrupted, ...numbersOf(found.patched)],
      ),
    );
  }
  return compared;
}

export async function compareOthers(
  model: LanguageModel,
  reference: AnalysesReference,
): Promise<Comparison[]> {
  const [set] = reference.patching;
  if (!set) throw new Error('The reference has no prompts.');
  const { cleanIds: clean, corruptedIds: corrupted, target, versus } = set;
  const { attribution, lens, path: one } = reference;
  const found = await directLogitAttribution(model, clean, { target, versus, heads: true });
  const rows = await logitLens(model, clean);
  const sender = { block: one.block, head: one.head };
  const paths = await pathPatching(model, { clean, corrupted, target, versus, sender });
  const patched = numbersOf(paths.patched);
  return [
    compare('direct logit attribution', attribution.contributions, numbersOf(found.contributions)),
    compare(
      'direct logit attribution by head',
      attribution.heads.flat(),
      found.heads ? numbersOf(found.heads) : [],
    ),
    compare('the logit difference', [attribution.logit], [found.logit]),
    compare(
      'logit lens, probabilities',
      lens.flatMap(({ probabilities }) => probabilities),
      rows.flatMap(({ probabilities }) => numbersOf(probabilities)),
    ),
    compare(
      'logit lens, tokens',
      lens.map(({ tokens }) => tokens[0] ?? -1),
      rows.map(({ tokens }) => Number(tokens.at(0))),
    ),
    // The receivers begin with the sender's own block's MLP; the next block's attention is behind it.
    compare('path patching', [one.next, one.final], [patched[1] ?? Number.NaN, patched.at(-1) ?? Number.NaN]),
  ];
}
