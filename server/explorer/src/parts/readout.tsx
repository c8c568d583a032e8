/** What the cell under the pointer or the focus holds: a line of fixed height, so that nothing moves. */
import type { JSX } from 'preact';

export interface Reading {
  readonly title: string;
  readonly entries: readonly {
    readonly name: string;
    readonly value: string;
    /** From 0 to 1, drawn as a bar. */
    readonly share: number;
  }[];
}

export function Readout({
  reading,
  hint,
}: {
  readonly reading: Reading | undefined;
  readonly hint: string;
}): JSX.Element {
  if (!reading) return <p class="readout quiet">{hint}</p>;
  return (
    <div class="readout">
      <span class="readout-title">{reading.title}</span>
      <ul>
        {reading.entries.map(({ name, value, share }, index) => (
          <li key={index}>
            <b>{name}</b> <span>{value}</span>
            <i aria-hidden="true" style={{ width: `${(share * 100).toFixed(1)}%` }} />
          </li>
        ))}
      </ul>
    </div>
  );
}
