/** What cases do with a sketch: run it to its end, and look at the numbers that it saves. */
import type { Place, TensorLike } from '@tracewire/protocol';
import type { CaseContext } from './cases.ts';
import { brief, check } from './mismatch.ts';
import type { RunView } from './run-view.ts';
import { Sketch } from './sketch.ts';
import { numbersOf, oneTensor } from './tensors.ts';

/** Runs a sketch to its end, which must be `completed`. */
export async function complete({ open }: CaseContext, sketch: Sketch): Promise<RunView> {
  const view = (await open()).run(sketch.request);
  await view.ended('completed');
  return view;
}

export const numbers = (view: RunView, save: number): number[] => numbersOf(oneTensor(view.value(save)));
const isZero = (list: readonly number[]): boolean => list.every((number) => number === 0);

export function mustBeZero(what: string, list: readonly number[]): void {
  check(list.length > 0 && isZero(list), `${what} all 0`, () => brief(list.slice(0, 6)));
}

export function mustNotBeZero(what: string, list: readonly number[]): void {
  check(!isZero(list), `${what} not all 0`, () => 'all 0');
}

/** Replaces a place's value by zeros of its dtype and dims. */
export function writeZeros(sketch: Sketch, place: Place): number {
  const value = sketch.read(place);
  return sketch.write(place, sketch.operator('Sub', [value, value]));
}

/** The value of a place in a run of its own. */
export async function plainValue(context: CaseContext, place: Place): Promise<TensorLike> {
  const sketch = new Sketch({ ids: context.model.ids });
  const save = sketch.saveRead(place);
  return oneTensor((await complete(context, sketch)).value(save));
}
