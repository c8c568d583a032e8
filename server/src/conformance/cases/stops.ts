/** Section 3.2: where a pass ends, and what of it is still given. */
import type { ConformanceCase } from '../cases.ts';
import { brief, check, mustEqual, NotApplicable } from '../mismatch.ts';
import { inputOf, outputOf, wholeOutputOf } from '../model-facts.ts';
import { Sketch } from '../sketch.ts';
import { complete, mustBeZero, numbers } from '../sketch-runs.ts';

export const STOPS: readonly ConformanceCase[] = [
  {
    id: 'stop',
    requirements: ['R-145', 'R-164', 'R-096', 'R-102'],
    shows:
      'a stop ends the pass: what is behind it is not_reached, though written earlier; the run completes and says where it stopped',
    run: async (context) => {
      const sketch = new Sketch({ ids: context.model.ids });
      const late = sketch.saveRead(outputOf(context.model.last));
      const early = sketch.saveRead(outputOf(context.model.early));
      sketch.stop(wholeOutputOf(context.model.early));
      const view = (await context.open()).run(sketch.request);
      const { report } = await view.ended('completed');
      view.value(early);
      view.accessError(late, 'not_reached');
      check(
        report !== undefined && report.modulesRun < report.modulesTotal,
        'fewer modules run than there are',
        () => brief(report),
      );
      check(report.stoppedAfter !== undefined, 'stoppedAfter', () => brief(report));
    },
  },
  {
    id: 'stop-warning',
    requirements: ['R-093'],
    shows: 'a hook behind a stop is a warning of the status received, with its node',
    run: async (context) => {
      const sketch = new Sketch({ ids: context.model.ids });
      const behind = sketch.read(outputOf(context.model.last));
      sketch.save(behind);
      sketch.saveRead(outputOf(context.model.early));
      sketch.stop(wholeOutputOf(context.model.early));
      const view = await complete(context, sketch);
      const warnings = view.statuses[0]?.warnings ?? [];
      mustEqual(
        'the warnings',
        warnings.map(({ code, node }) => [code, node]),
        [['behind_stop', behind]],
      );
    },
  },
  {
    id: 'stop-at-input',
    requirements: ['R-145'],
    shows:
      'a stop at an input ends the pass before the module: its output is not_reached, its input is there',
    run: async (context) => {
      const module = context.model.flowing.find(
        ({ path, inputs, order }) => path !== '' && inputs.length > 0 && order.input !== undefined,
      );
      if (!module) throw new NotApplicable('no module has an input');
      const sketch = new Sketch({ ids: context.model.ids });
      const input = sketch.saveRead(inputOf(module));
      const output = sketch.saveRead(outputOf(module));
      sketch.stop(inputOf(module));
      const view = await complete(context, sketch);
      view.value(input);
      view.accessError(output, 'not_reached');
    },
  },
  {
    id: 'stop-operations',
    requirements: ['R-166'],
    shows: 'operations on values that exist are computed though they stand behind the stop',
    run: async (context) => {
      const sketch = new Sketch({ ids: context.model.ids });
      const value = sketch.read(outputOf(context.model.early));
      sketch.stop(wholeOutputOf(context.model.early));
      const save = sketch.save(sketch.operator('Sub', [value, value]));
      const constant = sketch.save(sketch.constant('float32', [1], [3]));
      const view = await complete(context, sketch);
      mustBeZero('the difference', numbers(view, save));
      mustEqual('the constant', numbers(view, constant), [3]);
    },
  },
  {
    id: 'stop-operation-behind',
    requirements: ['R-164'],
    shows: 'what is computed from a value behind the stop is not_reached',
    run: async (context) => {
      const sketch = new Sketch({ ids: context.model.ids });
      const value = sketch.read(outputOf(context.model.last));
      const save = sketch.save(sketch.operator('Abs', [value]));
      sketch.saveRead(outputOf(context.model.early));
      sketch.stop(wholeOutputOf(context.model.early));
      (await complete(context, sketch)).accessError(save, 'not_reached');
    },
  },
  {
    id: 'stop-automatic',
    requirements: ['R-165', 'R-095'],
    shows: 'without a stop the pass ends after the last module that is needed',
    run: async (context) => {
      const sketch = new Sketch({ ids: context.model.ids });
      sketch.saveRead(outputOf(context.model.early));
      const { report } = await (await context.open()).run(sketch.request).ended('completed');
      check(
        report !== undefined && report.modulesRun < report.modulesTotal,
        'fewer modules run than there are',
        () => brief(report),
      );
    },
  },
  {
    id: 'stop-earliest',
    requirements: ['R-164'],
    shows: 'of two stops the one at the earlier module counts, whatever their order',
    run: async (context) => {
      const sketch = new Sketch({ ids: context.model.ids });
      const late = sketch.saveRead(outputOf(context.model.last));
      const early = sketch.saveRead(outputOf(context.model.early));
      sketch.stop(wholeOutputOf(context.model.last));
      sketch.stop(wholeOutputOf(context.model.early));
      const view = await complete(context, sketch);
      view.value(early);
      view.accessError(late, 'not_reached');
    },
  },
];
