/** Attention patterns by head: a picture of each, and the chosen one as a table, from which a connection can be cut. */
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { type Context, columnsOf, keyOf, percent, programIn } from '../context.ts';
import { Code } from '../parts/code.tsx';
import { HeatMap, Legend, levelOf, type Spot } from '../parts/heat-map.tsx';
import { FaultNotice, Hint } from '../parts/notice.tsx';
import { Readout } from '../parts/readout.tsx';
import { RunWaiting } from '../parts/run-waiting.tsx';
import { attentionPatterns } from '../recipes/attention.js';
import source from '../recipes/attention.js?raw';
import { Store, useStore } from '../store.ts';
import { spoken, visible } from '../token-texts.ts';
import { useRun } from '../use-run.ts';

/** By head, from and to. */
type Patterns = readonly (readonly (readonly number[])[])[];

export interface Connection {
  readonly block: number;
  readonly head: number;
  /** Absent: the whole head. */
  readonly spot?: Spot;
}

interface Props {
  readonly context: Context;
  readonly chosen: Connection | undefined;
  onChoose(connection: Connection): void;
}

export function AttentionView({ context, chosen, onChoose }: Props): JSX.Element {
  const { anatomy } = context;
  const [block, setBlock] = useState(Math.floor(anatomy.blockPaths.length / 2));
  if (anatomy.noAttention !== undefined || anatomy.attention === undefined) {
    return (
      <div class="view">
        <Hint>
          This model’s attention patterns can’t be had: {anatomy.noAttention}. The other views work without
          them.
        </Hint>
      </div>
    );
  }
  return (
    <div class="view">
      <p class="lead">What each token looks at, by head. Choose a cell to cut that connection.</p>
      <label class="inline">
        Block
        <select value={block} onChange={(event) => setBlock(Number(event.currentTarget.value))}>
          {anatomy.blockPaths.map((path, index) => (
            <option key={path} value={index}>
              {index}
            </option>
          ))}
        </select>
      </label>
      <Block
        key={block}
        {...{ context, chosen, onChoose, block }}
        path={`${anatomy.blockPaths[block]}.${anatomy.attention}`}
      />
    </div>
  );
}

function Block(props: Props & { readonly block: number; readonly path: string }): JSX.Element {
  const { context, chosen, onChoose, block, path } = props;
  const { model, prompt, runs, span } = context;
  const [head, setHead] = useState(0);
  const [withFirst, setWithFirst] = useState(true);
  const at = { prompt: prompt.text, first: span.first, end: span.end, attention: path };
  const { outcome, again, cancel } = useRun(keyOf(context, 'attention', block, span), () => {
    const run = runs.start(model.client, `Attention of block ${block}`, (traced) =>
      attentionPatterns(traced, at),
    );
    return { ...run, result: run.result.then((patterns) => patterns.value.toArray() as Patterns) };
  });
  const pointed = useMemo(() => new Store<Spot | undefined>(undefined), [head]);
  const patterns = outcome.at !== 'done' ? [] : withFirst ? outcome.value : outcome.value.map(withoutFirst);
  return (
    <>
      {outcome.at === 'running' && <RunWaiting runs={runs} id={outcome.id} cancel={cancel} />}
      {outcome.at === 'failed' && <FaultNotice fault={outcome.fault} again={again} />}
      {outcome.at === 'done' && (
        <>
          {/* Many heads rest on the first token when they have nothing to do, and all look alike then. */}
          <label class="inline">
            <input
              type="checkbox"
              checked={!withFirst}
              onChange={(event) => setWithFirst(!event.currentTarget.checked)}
            />
            Without the first token: the rest as shares of what is left
          </label>
          <fieldset class="heads">
            <legend class="unseen">Heads</legend>
            {patterns.map((pattern, index) => (
              <button
                type="button"
                key={index}
                class="head"
                aria-pressed={index === head}
                aria-label={`Head ${index}`}
                onClick={() => setHead(index)}
              >
                <Thumbnail pattern={pattern} />
                <span aria-hidden="true">{index}</span>
              </button>
            ))}
          </fieldset>
          <div class="bar">
            <h3>Head {head}</h3>
            <button type="button" onClick={() => onChoose({ block, head })}>
              Silence this head
            </button>
          </div>
          <AttentionReadout pattern={patterns[head] ?? []} {...{ context, pointed, withFirst }} />
          <HeatMap
            label={`Attention of block ${block}, head ${head}`}
            corner="from ↓ to →"
            narrow
            rows={rowsOf(context)}
            columns={columnsOf(context)}
            cell={(row, column) =>
              cellOf(outcome.value[head] ?? [], patterns[head] ?? [], context, { row, column })
            }
            chosen={chosen?.block === block && chosen.head === head ? chosen.spot : undefined}
            onPoint={(spot) => pointed.set(spot)}
            onChoose={(spot) => {
              if ((outcome.value[head]?.[spot.row]?.[spot.column] ?? 0) > 0) onChoose({ block, head, spot });
            }}
          />
          <Legend
            from="0%"
            to={withFirst ? '100% of the attention' : '100% of what the first token leaves'}
          />
        </>
      )}
      <Code of="attention" program={programIn(context, { source, at, paths: ['attention'] })} />
    </>
  );
}

/** Numbered, for a table's rows need names of their own. */
function rowsOf(context: Context): string[] {
  return columnsOf(context).map((token, index) => `${context.span.first + index} ${token}`);
}

/** What is left where the first of the tokens shown is left out, as shares of it. */
function withoutFirst(pattern: readonly (readonly number[])[]): readonly (readonly number[])[] {
  return pattern.map(([first = 0, ...rest]) => {
    const left = 1 - first;
    return [0, ...rest.map((share) => (left > 0 ? share / left : 0))];
  });
}

/** Numbers are per cent of `pattern`; what a token can’t look at, or what is left out of `whole`, has no colour. */
function cellOf(
  whole: readonly (readonly number[])[],
  pattern: readonly (readonly number[])[],
  { prompt, span }: Context,
  { row, column }: Spot,
) {
  const share = pattern[row]?.[column] ?? 0;
  const isLeftOut = share === 0 && (whole[row]?.[column] ?? 0) > 0;
  const text = share >= 0.005 ? (share * 100).toFixed(0) : '';
  const [from, to] = [row, column].map((index) => spoken(prompt.tokens[span.first + index] ?? ''));
  // What is seen is in what is said.
  const said = isLeftOut ? 'left out' : text === '' ? percent(share) : `${text}%`;
  return { text, level: levelOf(share), label: `${from} at ${to}: ${said}`, blank: share === 0 };
}

function AttentionReadout(props: {
  readonly pattern: readonly (readonly number[])[];
  readonly context: Context;
  readonly pointed: Store<Spot | undefined>;
  readonly withFirst: boolean;
}): JSX.Element {
  const { pattern, context, pointed, withFirst } = props;
  const spot = useStore(pointed);
  if (!spot) return <Readout reading={undefined} hint="Point at a cell to see where its token looks most." />;
  const { prompt, span } = context;
  const shares = pattern[spot.row] ?? [];
  const most = shares
    .map((share, index) => ({ share, index }))
    .sort((a, b) => b.share - a.share)
    .slice(0, 4);
  const [from, to] = [spot.row, spot.column].map((index) => visible(prompt.tokens[span.first + index] ?? ''));
  const isBlind = (shares[spot.column] ?? 0) === 0;
  const title = isBlind ? `${from} can’t look at ${to}; it looks at` : `${from} looks at`;
  const reading = {
    title: !withFirst && spot.column === 0 ? `${from}, with ${to} left out, looks at` : title,
    entries: most.map(({ share, index }) => ({
      name: visible(prompt.tokens[span.first + index] ?? ''),
      value: percent(share),
      share,
    })),
  };
  return <Readout reading={reading} hint="" />;
}

const SIDE = 72;

/** A picture for the eye alone: the table says the same. */
function Thumbnail({ pattern }: { readonly pattern: readonly (readonly number[])[] }): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const draw = (): void => drawPattern(canvas.current, pattern);
    draw();
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', draw);
    return () => scheme.removeEventListener('change', draw);
  }, [pattern]);
  return <canvas ref={canvas} width={SIDE} height={SIDE} />;
}

function drawPattern(canvas: HTMLCanvasElement | null, pattern: readonly (readonly number[])[]): void {
  const context = canvas?.getContext('2d');
  if (!canvas || !context) return;
  const style = getComputedStyle(canvas);
  const size = SIDE / Math.max(1, pattern.length);
  for (const [row, shares] of pattern.entries()) {
    for (const [column, share] of shares.entries()) {
      context.fillStyle = style.getPropertyValue(`--h${levelOf(share)}`);
      context.fillRect(Math.floor(column * size), Math.floor(row * size), Math.ceil(size), Math.ceil(size));
    }
  }
}
