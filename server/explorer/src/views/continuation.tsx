/** The model goes on with the prompt, token by token. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { type Context, keyOf, programIn } from '../context.ts';
import { Code } from '../parts/code.tsx';
import { FaultNotice, Hint } from '../parts/notice.tsx';
import { RunWaiting } from '../parts/run-waiting.tsx';
import { continuation } from '../recipes/continuation.js';
import source from '../recipes/continuation.js?raw';
import { useRun } from '../use-run.ts';

const NEW_TOKENS = 24;

export function ContinuationView({ context }: { readonly context: Context }): JSX.Element {
  const { description, model, prompt, runs } = context;
  const [sofar, setSofar] = useState('');
  const at = { prompt: prompt.text, maxNewTokens: NEW_TOKENS };
  const canGenerate = description.endOfText !== undefined;
  const key = canGenerate ? keyOf(context, 'continuation') : undefined;
  const { outcome, again, cancel } = useRun(key, () => {
    setSofar('');
    return runs.start(model.client, 'Continuation', (traced, sink) => {
      sink.take = (text) => setSofar((before) => before + text);
      return continuation(traced, at);
    });
  });
  if (!canGenerate) {
    return (
      <div class="view">
        <Hint>
          This model can’t generate: it was exported without a cache of keys and values. The other views work
          without it.
        </Hint>
      </div>
    );
  }
  return (
    <div class="view">
      <p class="lead">The likeliest token each time, up to {NEW_TOKENS} of them, as they come.</p>
      {outcome.at === 'running' && <RunWaiting runs={runs} id={outcome.id} cancel={cancel} />}
      {outcome.at === 'failed' && <FaultNotice fault={outcome.fault} again={again} />}
      <p class="prose">
        <span class="quiet">{prompt.text}</span>
        <mark>{outcome.at === 'done' ? outcome.value.text : sofar}</mark>
      </p>
      <Code of="the continuation" program={programIn(context, { source, at, paths: [] })} />
    </div>
  );
}
