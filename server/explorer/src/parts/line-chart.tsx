/** Lines over depth on a logarithmic scale. A table for those who can't see it stands in the same figure. */
import type { JSX } from 'preact';

export interface Line {
  readonly name: string;
  readonly values: readonly number[];
}

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT] = [640, 170, 44, 24, 10, 12];

export function LineChart(props: {
  readonly label: string;
  readonly lines: readonly Line[];
  readonly unit: string;
}): JSX.Element {
  const { label, lines, unit } = props;
  const count = Math.max(...lines.map(({ values }) => values.length));
  const ticks = decades(lines);
  const [low, high] = [Math.log10(ticks[0] ?? 1), Math.log10(ticks.at(-1) ?? 10)];
  const x = (index: number): number => LEFT + (index / Math.max(1, count - 1)) * (WIDTH - LEFT - RIGHT);
  const y = (value: number): number => {
    const share = (Math.log10(Math.max(value, 10 ** low)) - low) / Math.max(high - low, 1e-9);
    return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP);
  };
  const every = Math.ceil(count / 10);
  return (
    <figure class="chart">
      <figcaption>
        {label}
        {lines.map(({ name }, index) => (
          <span key={name} class={`key line-${index}`}>
            {name}
          </span>
        ))}
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true">
        {ticks.map((tick) => (
          <g key={tick} class="axis">
            <line x1={LEFT} x2={WIDTH - RIGHT} y1={y(tick)} y2={y(tick)} />
            <text x={LEFT - 6} y={y(tick) + 4} text-anchor="end">
              {tick}
            </text>
          </g>
        ))}
        {Array.from(
          { length: count },
          (_, index) =>
            index % every === 0 && (
              <text key={index} class="axis" x={x(index)} y={HEIGHT - 6} text-anchor="middle">
                {index}
              </text>
            ),
        )}
        {lines.map(({ name, values }, index) => (
          <polyline
            key={name}
            class={`line-${index}`}
            points={values.map((value, at) => `${x(at)},${y(value)}`).join(' ')}
          />
        ))}
      </svg>
      <table class="unseen">
        <caption>{label}</caption>
        <thead>
          <tr>
            <th scope="col">{unit}</th>
            {lines.map(({ name }) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {Array.from({ length: count }, (_, index) => (
            <tr key={index}>
              <th scope="row">{index}</th>
              {lines.map(({ name, values }) => (
                <td key={name}>{(values[index] ?? 0).toPrecision(3)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </figure>
  );
}

/** The powers of ten around all values. */
function decades(lines: readonly Line[]): number[] {
  const all = lines.flatMap(({ values }) => values).filter((value) => value > 0);
  const low = Math.floor(Math.log10(Math.min(...all)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...all))));
  if (all.length === 0) return [1, 10];
  return Array.from({ length: high - low + 1 }, (_, index) => Number((10 ** (low + index)).toPrecision(1)));
}
