/** A session as it is written down: one graph a trace, and what can't be meant, each with the user's line. */
import { type Graph, ModelIndex, tensorsOf } from '@tracewire/protocol';
import { describe, expect, it } from 'vitest';
import { gpt2 } from '../test/description.ts';
import { type Saved, type Session, type Tensor, type TracedValue, TraceError } from './index.ts';
import { joined } from './joined.ts';
import { CallSite } from './location.ts';
import { recordSession } from './session.ts';
import { ModelTree } from './tree.ts';

const IDS = [1, 2];

function written(fn: (s: Session) => unknown) {
  const tree = new ModelTree(new ModelIndex(gpt2()));
  const { traces } = recordSession(tree, new CallSite(), fn);
  return joined(traces.map(({ recording }) => ({ ...recording, blobs: new Map() })));
}

const kinds = ({ nodes }: Graph): string[] => nodes.map(({ kind }) => kind);

function errorOf(fn: (s: Session) => unknown): TraceError {
  try {
    written(fn);
  } catch (error) {
    if (error instanceof TraceError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const linesOf = ({ errors }: TraceError): (number | undefined)[] =>
  errors.map(({ location }) =>
    location && /session\.test\.ts$/.test(location.file) ? location.line : undefined,
  );
/** The line this is called on. */
const here = (): number =>
  Number(/session\.test\.ts:(\d+)/.exec(new Error().stack?.split('\n')[2] ?? '')?.[1]);

describe('what a session writes', () => {
  it('takes a value of an earlier trace once, however often it is used', () => {
    const { graphs } = written((s) => {
      const hidden = s.trace(IDS, (m) => m.transformer.h[0].output[0].add(1));
      s.trace(IDS, (m) => {
        m.transformer.h[1].output[0].set(hidden);
        m.transformer.h[2].output[0].set(hidden);
        m.lm_head.output.save();
      });
    });
    expect(kinds(graphs[0] as Graph)).toEqual(['read', 'constant', 'operator']);
    expect(graphs[1]?.nodes.filter(({ kind }) => kind === 'earlier')).toEqual([
      { kind: 'earlier', trace: 0, node: 2 },
    ]);
  });

  it('reads a place of an earlier trace where that ended, when it is used', () => {
    const { graphs } = written((s) => {
      const place = s.trace(IDS, (m) => {
        m.transformer.h[0].output[0].set(0);
        return m.transformer.h[0].output[0];
      });
      s.trace(IDS, (m) => {
        m.transformer.h[1].output[0].set(place);
        m.lm_head.output.save();
      });
    });
    expect(kinds(graphs[0] as Graph)).toEqual(['constant', 'write', 'read']);
    expect(graphs[1]?.nodes[0]).toEqual({ kind: 'earlier', trace: 0, node: 2 });
  });

  it('does what a trace’s function does in that trace, and what stands outside in the last that has a part', () => {
    const { graphs } = written((s) => {
      const a = s.trace(IDS, (m) => m.transformer.h[0].output[0]);
      const b = s.trace(IDS, (m) => {
        a.mean().save();
        return m.transformer.h[0].output[0];
      });
      a.add(b).save();
      a.save();
    });
    expect(kinds(graphs[1] as Graph).filter((kind) => kind === 'save')).toHaveLength(2);
    expect(kinds(graphs[0] as Graph).filter((kind) => kind === 'save')).toHaveLength(1);
  });

  it('uses what an earlier trace saved by its handle, too', () => {
    const { graphs } = written((s) => {
      const saved: Saved<Tensor> = s.trace(IDS, (m) => m.lm_head.output.save());
      s.trace(IDS, (m) => m.lm_head.output.sub(saved).save());
    });
    expect(graphs[1]?.nodes).toContainEqual({ kind: 'earlier', trace: 0, node: 0 });
  });

  it('lays the tensors of all traces out one behind the other, whenever they were written', () => {
    const { graphs, payload } = written((s) => {
      const a = s.trace(IDS, (m) => m.transformer.h[0].output[0].add(m.constant([1, 2, 3, 4, 5, 6, 7, 8])));
      s.trace(IDS, (m) => m.lm_head.output.add(7).save());
      a.mul(5).save();
    });
    const bytes = Buffer.concat(payload);
    const tensors = tensorsOf({ traces: graphs.map((graph) => ({ graph })) as never }, bytes);
    const numbers = tensors.map(({ constants }) =>
      [...constants.values()].map(({ data }) => Array.from(data, Number)),
    );
    expect(numbers).toEqual([[[1, 2, 3, 4, 5, 6, 7, 8], [5]], [[7]]]);
  });
});

describe('what can’t be meant in a session', () => {
  it('is told for all traces at once, each with its line', () => {
    let line = 0;
    const error = errorOf((s) => {
      line = here();
      s.trace(IDS, (m) => m.transformer.h[0].output.add(1).save());
      s.trace(IDS, (m) => m.op('Softmx', [m.lm_head.output]).save());
      s.trace(IDS, (m) => m.lm_head.output);
    });
    expect(error.errors.map(({ body }) => body.code)).toEqual([
      'tuple_value',
      'unknown_operator',
      'nothing_saved',
    ]);
    expect(linesOf(error)).toEqual([line + 1, line + 2, line + 3]);
  });

  it('a write into a trace whose function has returned', () => {
    let line = 0;
    const error = errorOf((s) => {
      const first = s.trace(IDS, (m) => m.transformer.h[0].output[0]);
      s.trace(IDS, (m) => {
        line = here();
        first.set(m.transformer.h[0].output[0]);
      });
    });
    expect(error.message).toMatch(/of a later trace of the session/);
    expect(linesOf(error)).toEqual([line + 1]);
    const late = errorOf((s) => {
      const first = s.trace(IDS, (m) => m.transformer.h[0].output[0]);
      first.set(0);
    });
    expect(late.message).toMatch(/nothing more is written, skipped, stopped or logged/);
  });

  it('a value of another session, or of none, and one that left its session', () => {
    let kept: TracedValue | undefined;
    written((s) =>
      s.trace(IDS, (m) => {
        kept = m.lm_head.output.add(1);
        kept.save();
      }),
    );
    const error = errorOf((s) => {
      s.trace(IDS, (m) => m.lm_head.output.add(kept ?? 0).save());
    });
    expect(error.message).toMatch(/belongs to another trace/);
    expect(linesOf(error)[0]).toBeDefined();
    expect(() => kept?.add(1)).toThrow(/whose function has returned/);
  });

  it('a placeholder that the session’s function returns', () => {
    const error = errorOf((s) => ({
      hidden: s.trace(IDS, (m) => {
        m.lm_head.output.save();
        return m.transformer.h[0].output[0];
      }),
    }));
    expect(error.message).toMatch(/The returned hidden is a placeholder/);
  });

  it('a trace inside another, after the session, or without a function; and no trace at all', () => {
    const nested = errorOf((s) => {
      s.trace(IDS, (m) => {
        s.trace(IDS, () => 0);
        m.lm_head.output.save();
      });
    });
    expect(nested.message).toMatch(/can’t stand inside another one of its session/);
    let kept: Session | undefined;
    written((s) => {
      kept = s;
      s.trace(IDS, (m) => m.lm_head.output.save());
    });
    expect(() => kept?.trace(IDS, (m) => m.lm_head.output.save())).toThrow(/takes no more traces/);
    expect(errorOf((s) => s.trace(IDS, undefined as never)).message).toMatch(
      /trace wants a prompt and a function/,
    );
    expect(errorOf((s) => (s.trace as (...all: unknown[]) => unknown)(IDS, {}, () => 0)).message).toMatch(
      /Options are the session’s/,
    );
    expect(errorOf(() => undefined).message).toMatch(/The session has no trace/);
  });

  it('an async function, of a trace and of the session', () => {
    expect(errorOf((s) => s.trace(IDS, async (m) => m.lm_head.output.save())).message).toMatch(
      /promise|async/,
    );
    const error = errorOf(async (s) => {
      s.trace(IDS, (m) => m.lm_head.output.save());
    });
    expect(error.message).toMatch(/promise|async/);
  });

  it('a value of several steps of a generation, where one is wanted', () => {
    let line = 0;
    const error = errorOf((s) => {
      const { saved } = s.generate(IDS, { maxNewTokens: 3 }, (m) => m.all().lm_head.output);
      s.trace(IDS, (m) => {
        line = here();
        m.lm_head.output.add(saved).save();
      });
    });
    expect(error.errors.map(({ body }) => body.code)).toEqual(['bad_reference']);
    expect(linesOf(error)).toEqual([line + 1]);
    expect(() => errorOf((s) => s.generate(IDS, { maxNewTokens: -1 }))).not.toThrow();
    expect(errorOf((s) => s.generate(IDS, { maxNewTokens: -1 })).errors[0]?.body).toMatchObject({
      path: 'maxNewTokens',
    });
    expect(errorOf((s) => s.generate(IDS, {} as never)).message).toMatch(/wants to know how many tokens/);
  });
});
