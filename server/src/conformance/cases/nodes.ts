/** Section 3.2: parameters, modules that are applied, logs, and an operation that fails. */
import type { ConformanceCase } from '../cases.ts';
import { brief, check, mustEqual, NotApplicable } from '../mismatch.ts';
import { inputOf, wholeOutputOf } from '../model-facts.ts';
import { Sketch } from '../sketch.ts';
import { complete, numbers } from '../sketch-runs.ts';
import { mustBeClose, oneTensor } from '../tensors.ts';

export const NODES: readonly ConformanceCase[] = [
  {
    id: 'parameter',
    requirements: ['R-142', 'R-177'],
    shows: 'a parameter has the dtype and dims that the description says',
    run: async (context) => {
      const { name, dtype, dims } = context.model.parameter;
      const sketch = new Sketch({ ids: context.model.ids });
      const save = sketch.save(sketch.add({ kind: 'parameter', name }));
      const tensor = oneTensor((await complete(context, sketch)).value(save));
      mustEqual('the parameter', [tensor.dtype, tensor.dims], [dtype, dims]);
    },
  },
  {
    id: 'apply',
    requirements: ['R-148', 'R-300'],
    shows: 'a module applied to its own input gives its own output, and its hooks stay silent',
    run: async (context) => {
      const module = context.model.applicable;
      const sketch = new Sketch({ ids: context.model.ids });
      const own = sketch.saveRead(wholeOutputOf(module));
      const value = sketch.read(inputOf(module));
      const applied = sketch.save(sketch.add({ kind: 'apply', module: module.path, input: value }));
      const view = await complete(context, sketch);
      mustBeClose('the output', numbers(view, applied), numbers(view, own), 1e-3);
      mustEqual('the number of values', view.values.size, 2);
    },
  },
  {
    id: 'log-text',
    requirements: ['R-150', 'R-103'],
    shows: 'a log node sends its text, while the run is running',
    run: async (context) => {
      const sketch = new Sketch({ ids: context.model.ids });
      const node = sketch.add({ kind: 'log', text: 'conformance' });
      const view = await complete(context, sketch);
      const logs = view.messages.filter(({ type }) => type === 'log');
      mustEqual(
        'the logs',
        logs.map((log) => log.type === 'log' && [log.node, log.text]),
        [[node, 'conformance']],
      );
    },
  },
  {
    id: 'log-value',
    requirements: ['R-150', 'R-103'],
    shows: 'a log node sends its value',
    run: async (context) => {
      const sketch = new Sketch({ ids: context.model.ids });
      const value = sketch.constant('int32', [2], [7, 8]);
      sketch.add({ kind: 'log', value });
      const view = await complete(context, sketch);
      const log = view.messages.find(({ type }) => type === 'log');
      check(log?.type === 'log' && log.value !== undefined, 'a log with a value', () => brief(log));
    },
  },
  {
    id: 'log-large',
    requirements: ['R-104'],
    shows: 'a log’s value above 64 KiB is left out, and the text says so',
    run: async (context) => {
      const sketch = new Sketch({ ids: context.model.ids });
      const length = 16 * 1024 + 1;
      const value = sketch.constant('float32', [length], new Array(length).fill(1));
      sketch.add({ kind: 'log', text: 'conformance', value });
      const view = await complete(context, sketch);
      const log = view.messages.find(({ type }) => type === 'log');
      check(
        log?.type === 'log' && log.value === undefined && (log.text ?? '').length > 'conformance'.length,
        'a log without a value, whose text says so',
        () => brief(log),
      );
    },
  },
];

export const FAILURES: readonly ConformanceCase[] = [
  {
    id: 'operation-fails',
    requirements: ['R-167', 'R-101', 'R-102'],
    shows: 'an operation that fails makes its saves `failed`, with a cause; the run completes for the rest',
    run: async (context) => {
      const sketch = new Sketch({ ids: context.model.ids });
      const table = sketch.constant('float32', [2], [1, 2]);
      const index = sketch.constant('int64', [1], [5]);
      // Not the constant itself, whose elements a server may look at before it runs.
      const computed = sketch.operator('Add', [index, sketch.constant('int64', [1], [0])]);
      const wrong = sketch.operator('Gather', [table, computed]);
      const first = sketch.save(wrong);
      const second = sketch.save(sketch.operator('Abs', [wrong]));
      const good = sketch.save(sketch.operator('Abs', [table]));
      const view = (await context.open()).run(sketch.request);
      const { refused } = await view.end();
      if (refused) throw new NotApplicable('the server sees it before it runs');
      await view.ended('completed');
      view.accessError(first, 'failed');
      view.accessError(second, 'failed');
      view.value(good);
    },
  },
];
