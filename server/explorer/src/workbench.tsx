/** One model: a prompt, the views of what the model makes of it, and experiments at the places that are chosen there. */
import type { ModelDescription } from '@tracewire/client';
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { type Anatomy, anatomyOf } from './anatomy.ts';
import type { Context, Prompt, Span } from './context.ts';
import { Experiment } from './experiment/experiment.tsx';
import type { Target } from './experiment/target.ts';
import { type Fault, faultOf } from './faults.ts';
import type { OpenModel } from './models.ts';
import { FaultNotice, Hint } from './parts/notice.tsx';
import { PromptForm } from './parts/prompt-form.tsx';
import { SpanBar, spanOf } from './parts/span-bar.tsx';
import { TabList } from './parts/tab-list.tsx';
import type { Runs } from './runs.ts';
import type { Server } from './server.ts';
import { AttentionView } from './views/attention.tsx';
import { ContinuationView } from './views/continuation.tsx';
import { LensView } from './views/lens.tsx';
import { ModulesView } from './views/modules.tsx';
import { NormsView } from './views/norms.tsx';

const TABS = {
  lens: 'Logit lens',
  attention: 'Attention',
  norms: 'Norms',
  continuation: 'Continuation',
  modules: 'Modules',
} as const;
type Tab = keyof typeof TABS;

const FIRST_PROMPT = 'The Eiffel Tower is in the city of';

interface Props {
  readonly server: Server;
  readonly model: OpenModel;
  readonly runs: Runs;
}

export function Workbench({ server, model, runs }: Props): JSX.Element {
  const [text, setText] = useState(FIRST_PROMPT);
  const [tab, setTab] = useState<Tab>('lens');
  const { ready, fault, again } = useReady(model, text);
  const [span, setSpan] = useState<Span>({ first: 0, end: 0 });
  const [target, setTarget] = useState<Target | undefined>(undefined);
  const length = ready?.prompt.ids.length ?? 0;
  // Another prompt is shown from its end.
  useEffect(() => {
    setSpan(spanOf(length));
    setTarget(undefined);
  }, [ready?.prompt]);
  const shown = span.end > 0 && span.end <= length ? span : spanOf(length);
  return (
    <>
      <PromptForm
        text={text}
        tokens={ready?.prompt.tokens}
        most={ready?.description.contextLength}
        onText={setText}
      />
      {fault && <FaultNotice fault={fault} again={again} />}
      {!ready && !fault && <Hint>Asking the server for the model’s modules…</Hint>}
      {ready && (
        <>
          <TabList<Tab> tabs={TABS} chosen={tab} onChoose={(name) => setTab(name)} />
          <div id="panel" role="tabpanel" aria-labelledby={`tab-${tab}`} class="panel">
            <Panel
              {...{ server, model, runs, tab, target }}
              {...ready}
              span={shown}
              onSpan={setSpan}
              onTarget={setTarget}
            />
          </div>
        </>
      )}
    </>
  );
}

interface PanelProps extends Props, Ready {
  readonly tab: Tab;
  readonly span: Span;
  readonly target: Target | undefined;
  onSpan(span: Span): void;
  onTarget(target: Target): void;
}

function Panel(props: PanelProps): JSX.Element {
  const { tab, anatomy, server, description, prompt, target, onTarget, span } = props;
  if (tab === 'modules') return <ModulesView server={server} description={description} />;
  if ('lacks' in anatomy) return <Hint>{anatomy.lacks} The modules are under Modules.</Hint>;
  const context: Context = { ...props, anatomy };
  if (tab === 'continuation') return <ContinuationView key={prompt.text} context={context} />;
  const place = target?.kind === 'place' ? target : undefined;
  const spot = place && { row: place.block, column: place.position - span.first };
  const onSpot = (chosen: { readonly row: number; readonly column: number }): void =>
    onTarget({ kind: 'place', block: chosen.row, position: span.first + chosen.column });
  return (
    <div class="split">
      <div>
        <SpanBar length={prompt.ids.length} span={span} onSpan={props.onSpan} />
        {tab === 'lens' && <LensView context={context} chosen={spot} onChoose={onSpot} />}
        {tab === 'norms' && <NormsView key={span.first} context={context} chosen={spot} onChoose={onSpot} />}
        {tab === 'attention' && (
          <AttentionView
            context={context}
            chosen={target?.kind === 'connection' ? { ...target, ...spotIn(target, span) } : undefined}
            onChoose={({ block, head, spot: at }) =>
              onTarget({
                kind: 'connection',
                block,
                head,
                ...(at ? { from: span.first + at.row, to: span.first + at.column } : {}),
              })
            }
          />
        )}
      </div>
      <Experiment context={context} target={target} />
    </div>
  );
}

function spotIn(target: Extract<Target, { kind: 'connection' }>, { first }: Span) {
  const { from, to } = target;
  return from === undefined || to === undefined ? {} : { spot: { row: from - first, column: to - first } };
}

interface Ready {
  readonly description: ModelDescription;
  readonly anatomy: Anatomy | { readonly lacks: string };
  readonly prompt: Prompt;
}

/** The model's description and the prompt's tokens; the last ones stay until the next are there. */
function useReady(model: OpenModel, text: string) {
  const [ready, setReady] = useState<Ready | undefined>(undefined);
  const [fault, setFault] = useState<Fault | undefined>(undefined);
  const [round, setRound] = useState(0);
  // A round is another try.
  useEffect(() => {
    let current = true;
    const ask = async (): Promise<void> => {
      try {
        const [description, tokens] = [await model.describe(), await model.tokensOf(text)];
        if (!current) return;
        setFault(undefined);
        setReady({ description, anatomy: anatomyOf(description), prompt: { text, ...tokens } });
      } catch (error) {
        if (current) setFault(faultOf(error));
      }
    };
    void ask();
    return () => {
      current = false;
    };
  }, [model, text, round]);
  return { ready, fault, again: () => setRound((count) => count + 1) };
}
