/** Change the model at the chosen place and see what becomes of the next token. */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { type Context, keyOf, programIn } from '../context.ts';
import { type Fault, faultOf } from '../faults.ts';
import { Code } from '../parts/code.tsx';
import { FaultNotice } from '../parts/notice.tsx';
import { RunWaiting } from '../parts/run-waiting.tsx';
import { visible } from '../token-texts.ts';
import { useRun } from '../use-run.ts';
import { DistributionTable, Verdict } from './distribution-table.tsx';
import { readDistributions } from './distributions.ts';
import { PlaceForm } from './place-form.tsx';
import { donorPositionOf, planOf } from './plan.ts';
import { FIRST_WISH, type Target, type Wish } from './target.ts';

export function Experiment({
  context,
  target,
}: {
  readonly context: Context;
  readonly target: Target | undefined;
}): JSX.Element {
  const [wish, setWish] = useState<Wish>(FIRST_WISH);
  const isPatch = target?.kind === 'place' && wish.action === 'patch';
  const donor = useTokens(context, isPatch ? wish.donor : undefined);
  if (!target) {
    return (
      <Frame title="Change the model">
        <p class="quiet">
          Choose a cell of the logit lens, of an attention pattern or of the norms: its place is then ablated,
          patched or steered, and the next token’s distribution stands here, unchanged beside changed.
        </p>
      </Frame>
    );
  }
  const place = target.kind === 'place' ? target : undefined;
  const length = donor.tokens?.length;
  return (
    <Frame title={titleOf(context, target)} target={target}>
      {place && (
        <PlaceForm
          context={context}
          wish={wish}
          donorTokens={donor.tokens}
          donorPosition={
            length === undefined
              ? 0
              : donorPositionOf(wish, place.position, context.prompt.ids.length, length)
          }
          onWish={setWish}
        />
      )}
      {donor.fault && <FaultNotice fault={donor.fault} />}
      <Result context={context} target={target} wish={wish} donorLength={length} />
    </Frame>
  );
}

function Frame({
  title,
  target,
  children,
}: {
  readonly title: string;
  readonly target?: Target;
  readonly children: ComponentChildren;
}): JSX.Element {
  const section = useRef<HTMLElement>(null);
  // Where it stands below the view, what was chosen there would seem to do nothing.
  useEffect(() => {
    const { matches: isBelow } = matchMedia('(max-width: 1180px)');
    if (target && isBelow) section.current?.scrollIntoView({ block: 'nearest' });
  }, [target]);
  return (
    <section ref={section} class="experiment" aria-labelledby="experiment-title">
      <h2 id="experiment-title">{title}</h2>
      {children}
    </section>
  );
}

function titleOf({ prompt }: Context, target: Target): string {
  const token = (position: number): string => visible(prompt.tokens[position] ?? '');
  if (target.kind === 'place') return `Block ${target.block} at ${token(target.position)}`;
  const head = `Block ${target.block}, head ${target.head}`;
  if (target.from === undefined || target.to === undefined) return `${head}: silenced`;
  return `${head}: ${token(target.from)} no longer looks at ${token(target.to)}`;
}

function Result(props: {
  readonly context: Context;
  readonly target: Target;
  readonly wish: Wish;
  readonly donorLength: number | undefined;
}): JSX.Element | null {
  const { context, target, wish, donorLength } = props;
  const plan = planOf(context, target, wish, donorLength);
  const { outcome, again, cancel } = useRun(plan && keyOf(context, plan.source, plan.at), () => {
    if (!plan) throw new Error('a run without a plan');
    const run = context.runs.start(context.model.client, plan.what, (model) => plan.run(model));
    return { ...run, result: run.result.then((next) => readDistributions(next, context.model.texts)) };
  });
  if (!plan) return null;
  return (
    <>
      {outcome.at === 'running' && <RunWaiting runs={context.runs} id={outcome.id} cancel={cancel} />}
      {outcome.at === 'failed' && <FaultNotice fault={outcome.fault} again={again} />}
      {/* It stays, so that what is put in is read aloud. */}
      <p class="verdict" role="status">
        {outcome.at === 'done' && <Verdict changes={outcome.value} />}
      </p>
      {outcome.at === 'done' && <DistributionTable changes={outcome.value} />}
      <Code of="the experiment" program={programIn(context, plan)} />
    </>
  );
}

/** The tokens of a text, once they are known. */
function useTokens(
  { model }: Context,
  text: string | undefined,
): { readonly tokens: readonly string[] | undefined; readonly fault: Fault | undefined } {
  const [known, setKnown] = useState<{ text?: string; tokens?: readonly string[]; fault?: Fault }>({});
  useEffect(() => {
    if (text === undefined) return;
    let current = true;
    const settle = (what: { tokens?: readonly string[]; fault?: Fault }): void => {
      if (current) setKnown({ text, ...what });
    };
    model.tokensOf(text).then(
      ({ tokens }) => settle({ tokens }),
      (error) => settle({ fault: faultOf(error) }),
    );
    return () => {
      current = false;
    };
  }, [model, text]);
  const isCurrent = text !== undefined && known.text === text;
  return { tokens: isCurrent ? known.tokens : undefined, fault: isCurrent ? known.fault : undefined };
}
