/** Options that count something. */
import { InvalidArgumentError } from 'commander';

/** A parser of digits that fit `pattern`; `range` says to people what that is. */
export function wholeNumber(pattern: RegExp, range: string): (text: string) => number {
  return (text) => {
    if (!pattern.test(text)) throw new InvalidArgumentError(`A whole number from ${range} is wanted.`);
    return Number(text);
  };
}
