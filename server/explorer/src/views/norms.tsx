/** How long the residual is after each block, and what attention and MLP added: by token as a table, over depth as lines. */
import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { type Context, columnsOf, keyOf, programIn } from '../context.ts';
import { Code } from '../parts/code.tsx';
import { HeatMap, Legend, levelOf, type Spot } from '../parts/heat-map.tsx';
import { type Line, LineChart } from '../parts/line-chart.tsx';
import { FaultNotice, Hint } from '../parts/notice.tsx';
import { RunWaiting } from '../parts/run-waiting.tsx';
import { residualNorms } from '../recipes/norms.js';
import source from '../recipes/norms.js?raw';
import { spoken, visible } from '../token-texts.ts';
import { useRun } from '../use-run.ts';

/** By block and position. */
type Table = readonly (readonly number[])[];
type Norms = Readonly<Record<'residual' | 'attention' | 'mlp', Table>>;

const NAMES = { residual: 'residual', attention: 'attention adds', mlp: 'MLP adds' } as const;

interface Props {
  readonly context: Context;
  readonly chosen: Spot | undefined;
  onChoose(spot: Spot): void;
}

export function NormsView(props: Props): JSX.Element {
  const { attention, mlp } = props.context.anatomy;
  if (attention !== undefined && mlp !== undefined)
    return <Norms {...props} attention={attention} mlp={mlp} />;
  return (
    <div class="view">
      <Hint>
        This model’s blocks have no attention and MLP that can be told apart, so there is nothing to compare.
      </Hint>
    </div>
  );
}

function Norms(props: Props & { readonly attention: string; readonly mlp: string }): JSX.Element {
  const { context, chosen, onChoose, attention, mlp } = props;
  const { anatomy, model, prompt, runs, span } = context;
  const [position, setPosition] = useState(span.end - span.first - 1);
  const at = {
    prompt: prompt.text,
    first: span.first,
    end: span.end,
    blocks: anatomy.blocks,
    attention,
    mlp,
  };
  const { outcome, again, cancel } = useRun(keyOf(context, 'norms', span), () => {
    const run = runs.start(model.client, 'Residual norms', (traced) => residualNorms(traced, at));
    return { ...run, result: run.result.then(readNorms) };
  });
  const scale = useMemo(
    () => (outcome.at === 'done' ? logScale(outcome.value.residual) : undefined),
    [outcome],
  );
  return (
    <div class="view">
      <p class="lead">
        How long each token’s residual is after each block. Point at a column to see that token’s line over
        depth; choose a cell to change the model there.
      </p>
      {outcome.at === 'running' && <RunWaiting runs={runs} id={outcome.id} cancel={cancel} />}
      {outcome.at === 'failed' && <FaultNotice fault={outcome.fault} again={again} />}
      {outcome.at === 'done' && scale && (
        <>
          <LineChart
            label={`Norms over depth at ${visible(prompt.tokens[span.first + position] ?? '')}`}
            lines={linesAt(outcome.value, position)}
            unit="block"
          />
          <HeatMap
            label="Residual norms"
            corner="block"
            rows={outcome.value.residual.map((_, block) => String(block))}
            columns={columnsOf(context)}
            cell={(row, column) => {
              const norm = outcome.value.residual[row]?.[column] ?? 0;
              const token = spoken(prompt.tokens[span.first + column] ?? '');
              return {
                text: short(norm),
                level: levelOf(scale(norm)),
                label: `Block ${row}, ${token}: ${short(norm)}`,
              };
            }}
            chosen={chosen}
            onPoint={(spot) => setPosition(spot.column)}
            onChoose={onChoose}
          />
          <Legend from="short" to="long (logarithmic)" />
        </>
      )}
      <Code
        of="the norms"
        program={programIn(context, { source, at, paths: ['blocks', 'attention', 'mlp'] })}
      />
    </div>
  );
}

function readNorms(rows: Awaited<ReturnType<typeof residualNorms>>): Norms {
  const table = (name: keyof Norms): Table => rows.map((row) => row[name].value.row(0).toArray() as number[]);
  return { residual: table('residual'), attention: table('attention'), mlp: table('mlp') };
}

function linesAt(norms: Norms, position: number): Line[] {
  return (['residual', 'attention', 'mlp'] as const).map((name) => ({
    name: NAMES[name],
    values: norms[name].map((row) => row[position] ?? 0),
  }));
}

/** From 0 at the shortest to just below 1 at the longest. */
function logScale(table: Table): (norm: number) => number {
  const all = table.flat().map((norm) => Math.log(Math.max(norm, 1e-6)));
  const [least, most] = [Math.min(...all), Math.max(...all)];
  return (norm) => ((Math.log(Math.max(norm, 1e-6)) - least) / Math.max(most - least, 1e-6)) * 0.999;
}

export const short = (value: number): string =>
  value >= 1000 ? `${(value / 1000).toFixed(1)}k` : value.toPrecision(value >= 100 ? 3 : 2);
