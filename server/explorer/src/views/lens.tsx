/** The logit lens as a heat map: block by token, the likeliest next token in the cell, its probability as the colour. */
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { type Context, columnsOf, keyOf, percent, programIn } from '../context.ts';
import { Code } from '../parts/code.tsx';
import { HeatMap, Legend, levelOf, type Spot } from '../parts/heat-map.tsx';
import { FaultNotice } from '../parts/notice.tsx';
import { type Reading, Readout } from '../parts/readout.tsx';
import { RunWaiting } from '../parts/run-waiting.tsx';
import { logitLens } from '../recipes/logit-lens.js';
import source from '../recipes/logit-lens.js?raw';
import { Store, useStore } from '../store.ts';
import { spoken, visible } from '../token-texts.ts';
import { useRun } from '../use-run.ts';

const TOP = 5;

/** By block and position: the likeliest tokens, the first first. */
type Lens = readonly (readonly (readonly { readonly id: number; readonly share: number }[])[])[];

interface Props {
  readonly context: Context;
  readonly chosen: Spot | undefined;
  onChoose(spot: Spot): void;
}

export function LensView({ context, chosen, onChoose }: Props): JSX.Element {
  const { anatomy, model, prompt, runs, span } = context;
  const { blocks, norm, head } = anatomy;
  const at = { prompt: prompt.text, first: span.first, end: span.end, top: TOP, blocks, norm, head };
  const { outcome, again, cancel } = useRun(keyOf(context, 'lens', span), () => {
    const run = runs.start(model.client, 'Logit lens', (traced) => logitLens(traced, at));
    return { ...run, result: run.result.then((rows) => readLens(rows, model.texts)) };
  });
  const pointed = useMemo(() => new Store<Spot | undefined>(undefined), [outcome]);
  return (
    <div class="view">
      <p class="lead">
        Each block’s residual, sent through <code>{norm}</code> and <code>{head}</code> as if the model ended
        there. Choose a cell to change the model at that place.
      </p>
      {outcome.at === 'running' && <RunWaiting runs={runs} id={outcome.id} cancel={cancel} />}
      {outcome.at === 'failed' && <FaultNotice fault={outcome.fault} again={again} />}
      {outcome.at === 'done' && (
        <>
          <LensReadout lens={outcome.value} context={context} pointed={pointed} />
          <HeatMap
            label="Logit lens"
            corner="block"
            rows={outcome.value.map((_, block) => String(block))}
            columns={columnsOf(context)}
            cell={(row, column) => cellOf(outcome.value, context, { row, column })}
            chosen={chosen}
            onPoint={(spot) => pointed.set(spot)}
            onChoose={onChoose}
          />
          <Legend from="0%" to="100% sure" />
        </>
      )}
      <Code
        of="the logit lens"
        program={programIn(context, { source, at, paths: ['blocks', 'norm', 'head'] })}
      />
    </div>
  );
}

async function readLens(
  rows: Awaited<ReturnType<typeof logitLens>>,
  texts: Context['model']['texts'],
): Promise<Lens> {
  const lens = rows.map(({ probabilities, tokens }) => {
    const shares = probabilities.value.row(0).toArray() as number[][];
    const ids = tokens.value.row(0).toArray() as number[][];
    return ids.map((row, position) => row.map((id, rank) => ({ id, share: shares[position]?.[rank] ?? 0 })));
  });
  await texts.load(lens.flat(2).map(({ id }) => id));
  return lens;
}

function cellOf(lens: Lens, { model, prompt, span }: Context, { row, column }: Spot) {
  const best = lens[row]?.[column]?.[0];
  const text = model.texts.get(best?.id ?? -1) ?? '?';
  const share = best?.share ?? 0;
  const after = spoken(prompt.tokens[span.first + column] ?? '');
  const label = `Block ${row}, after ${after}: ${spoken(text)}, ${percent(share)}`;
  return { text: visible(text), level: levelOf(share), label };
}

function LensReadout(props: {
  readonly lens: Lens;
  readonly context: Context;
  readonly pointed: Store<Spot | undefined>;
}): JSX.Element {
  const { lens, context, pointed } = props;
  const spot = useStore(pointed);
  if (!spot)
    return (
      <Readout
        reading={undefined}
        hint="Point at a cell, or move to it with the arrow keys, to see its probabilities."
      />
    );
  const { span, prompt, model } = context;
  const entries = lens[spot.row]?.[spot.column] ?? [];
  const reading: Reading = {
    title: `Block ${spot.row} after ${visible(prompt.tokens[span.first + spot.column] ?? '')}`,
    entries: entries.map(({ id, share }) => ({
      name: visible(model.texts.get(id) ?? '?'),
      value: percent(share),
      share,
    })),
  };
  return <Readout reading={reading} hint="" />;
}
