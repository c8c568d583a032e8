/** What a trace prints, through a real server: in the order of the pass, between the values that it saves. */
import { LanguageModel, type LogEvent, Tensor } from '@tracewire/client';
import { describe, expect, it, vi } from 'vitest';
import { modelOn, served } from './support/served.ts';
import { TINY_GPT2 } from './support/server.ts';

const PROMPT = 'The Eiffel Tower is in the city of';

const server = await served();
const model = modelOn(server);

/** Texts of logs, and labels of saved values, as they came. */
function diary() {
  const heard: string[] = [];
  const logs: LogEvent[] = [];
  const onLog = (event: LogEvent): void => {
    logs.push(event);
    heard.push(`${event.text}${event.step === undefined ? '' : ` ${event.step}`}`);
  };
  const onValue = ({ label }: { readonly label: string }): void => void heard.push(label);
  return { heard, logs, onLog, onValue };
}

describe('a log', () => {
  it.each([false, true])(
    'comes when its value does, whatever stands first in the program (remote: %s)',
    async (remote) => {
      const local = remote ? model : new LanguageModel(TINY_GPT2, { remote: false });
      const { heard, logs, onLog, onValue } = diary();
      // Cut at a write, so that values come one after the other.
      const { norm } = await local.trace(PROMPT, { onLog, onValue }, (m) => {
        m.lm_head.output.slice(0, -1).argmax().log('last');
        const second = m.transformer.h[1].output[0];
        second.save();
        second.log('second, whole');
        second.slice(null, -1).set(0);
        const norm = m.transformer.h[0].output[0].norm().log('first') as unknown;
        m.transformer.h[0].output[0].save();
        m.log('begin');
        m.log('a constant', [1, 2]);
        return { norm };
      });
      expect(norm).toBeUndefined();
      expect(heard).toEqual([
        'begin',
        'a constant',
        'first',
        'transformer.h.0.output[0]',
        'transformer.h.1.output[0]',
        'second, whole',
        'last',
      ]);
      expect(logs.map(({ value }) => (value instanceof Tensor ? value.dims : value))).toEqual([
        undefined,
        [2],
        [],
        [1, 12, 128],
        [],
      ]);
      for (const { location } of logs) expect(location?.file).toMatch(/log\.test\.ts$/);
      if (!remote) await local.close();
    },
  );

  it('comes once in each step of a generation, before the step’s token', async () => {
    const { heard, onLog } = diary();
    await model.generate(
      PROMPT,
      { maxNewTokens: 3, stopTokens: [], onLog, onToken: ({ step }) => heard.push(`token ${step}`) },
      (m) => m.all().transformer.h[0].output[0].norm().log('norm'),
    );
    expect(heard).toEqual(['norm 0', 'token 0', 'norm 1', 'token 1', 'norm 2', 'token 2']);
  });

  it('of each prompt of a batch comes at its module', async () => {
    const { heard, onLog } = diary();
    await model.trace({ onLog }, (t) => {
      t.invoke('The', (m) => {
        m.transformer.h[1].output[0].sum().log('one, later');
        m.transformer.h[0].output[0].sum().log('one');
      });
      t.invoke(PROMPT, (m) => m.transformer.h[0].output[0].sum().log('two'));
    });
    expect(heard).toEqual(['one', 'two', 'one, later']);
  });

  it('whose value is too large, or failed, says so', async () => {
    const { logs, onLog } = diary();
    await model.trace(PROMPT.repeat(10), { onLog }, (m) => {
      m.lm_head.output.log('large');
      const index = m.constant([3000n], 'int64');
      m.op('Gather', [m.transformer.wte.output, index], { axis: 1 }).log('beyond');
    });
    const [beyond, large] = logs;
    expect(large?.text).toMatch(/^large \(a value of \d+ bytes, left out: save it instead\)$/);
    expect(beyond?.text).toMatch(/^beyond \(no value: .+\)$/s);
    expect([large?.value, beyond?.value]).toEqual([undefined, undefined]);
  });

  it('goes to the console where nobody listens, and one that throws ends the run', async () => {
    const print = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    try {
      await model.trace(PROMPT, (m) => m.transformer.h[0].output[0].norm().log('norm'));
      expect(print.mock.calls.map(([text, value]) => [text, value instanceof Tensor])).toEqual([
        ['norm', true],
      ]);
    } finally {
      print.mockRestore();
    }
    const wrong = new Error('mine');
    const onLog = (): never => {
      throw wrong;
    };
    await expect(model.trace(PROMPT, { onLog }, (m) => m.log('a'))).rejects.toBe(wrong);
  });
});
