/** Of a long prompt, the views show a part: which one, and the ways to the others. */
import type { JSX } from 'preact';
import type { Span } from '../context.ts';

/** Columns that a table can have and still be read. */
const MOST = 32;

/** The last positions of a prompt of that length. */
export const spanOf = (length: number): Span => ({ first: Math.max(0, length - MOST), end: length });

interface Props {
  readonly length: number;
  readonly span: Span;
  onSpan(span: Span): void;
}

export function SpanBar({ length, span, onSpan }: Props): JSX.Element | null {
  if (length <= MOST) return null;
  const go = (first: number): void => {
    const from = Math.max(0, Math.min(first, length - MOST));
    onSpan({ first: from, end: from + MOST });
  };
  return (
    <div class="bar">
      <span>
        Tokens {span.first} to {span.end - 1} of {length}
      </span>
      <button type="button" disabled={span.first === 0} onClick={() => go(span.first - MOST)}>
        Earlier
      </button>
      <button type="button" disabled={span.end === length} onClick={() => go(span.first + MOST)}>
        Later
      </button>
    </div>
  );
}
