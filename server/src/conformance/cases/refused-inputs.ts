/** Section 3: inputs that no pass begins with. */
import type { ErrorCode, Input } from '@tracewire/protocol';
import type { ConformanceCase } from '../cases.ts';
import { brief, check, NotApplicable } from '../mismatch.ts';
import { type ModelFacts, outputOf } from '../model-facts.ts';
import { Sketch } from '../sketch.ts';

const badInput = (
  id: string,
  shows: string,
  code: ErrorCode,
  input: (model: ModelFacts) => Input,
): ConformanceCase => ({
  id,
  requirements: ['text' in input({ ids: [], description: {} } as unknown as ModelFacts) ? 'R-131' : 'R-132'],
  shows: `${shows} is refused with ${code}`,
  run: async (context) => {
    const sketch = new Sketch(input(context.model));
    sketch.saveRead(outputOf(context.model.early));
    const { refused, status } = await (await context.open()).run(sketch.request).end();
    const codes = (refused ?? status?.errors ?? []).map((error) => error.code);
    check(status?.state !== 'completed' && codes.includes(code), `the error ${code}`, () =>
      brief(refused ?? status),
    );
  },
});

const needed = (number: number | undefined, what: string): number => {
  if (number === undefined) throw new NotApplicable(`the description has no ${what}`);
  return number;
};

export const REFUSED_INPUTS: readonly ConformanceCase[] = [
  badInput('input-no-ids', 'an empty list of ids', 'empty_input', () => ({ ids: [] })),
  badInput('input-no-text', 'an empty text', 'empty_input', () => ({ text: '' })),
  badInput(
    'input-id-outside',
    'an id that is not in the vocabulary',
    'token_out_of_range',
    ({ description }) => ({
      ids: [description.modules ? needed(description.vocabularySize, 'vocabularySize') : 0],
    }),
  ),
  badInput('input-too-long', 'more ids than the context', 'input_too_long', ({ description }) => {
    const length = description.modules ? needed(description.contextLength, 'contextLength') + 1 : 0;
    if (length > 65_536) throw new NotApplicable('the context is longer than a list of ids may be');
    return { ids: new Array(length).fill(0) };
  }),
];
