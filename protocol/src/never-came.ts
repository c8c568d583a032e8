/** What is said of a value that was never set. */
import type { ErrorBody } from './errors.ts';
import type { Missing } from './outcomes.ts';

/** How the message of an access error begins, for a value that was never set. */
export const NEVER_SET = "Accessing value before it's been set.";

/** The access error of a step that never came. `why` says what ended the generation. */
export function stepNeverCame(
  { save, step = 0, began: { steps: began } }: Pick<Missing, 'save' | 'step' | 'began'>,
  { what = `The value of step ${step}`, path, why, cause }: NeverCame,
): ErrorBody {
  const steps = began === 1 ? 'was 1 step' : `were ${began} steps`;
  return {
    code: 'not_reached',
    message: `${NEVER_SET} ${what} never came: there ${steps}, ${why}.`,
    node: save,
    path,
    wanted: String(step),
    got: String(began),
    cause,
  };
}

export interface NeverCame {
  /** What was saved. */
  readonly what?: string | undefined;
  readonly path?: string | undefined;
  readonly why: string;
  readonly cause?: ErrorBody | undefined;
}
