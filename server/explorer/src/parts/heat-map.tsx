/**
 * A table of cells by colour, with one stop for the Tab key: arrows, Home, End, Page Up and Page Down move inside it, Enter and
 * the space bar choose. Every cell says in words what its colour says.
 */
import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';

export interface HeatCell {
  readonly text: string;
  /** The colour, from 0 to 9. */
  readonly level: number;
  /** The whole of it in words. */
  readonly label: string;
  /** Nothing can be there: it has no colour. */
  readonly blank?: boolean;
}

export interface Spot {
  readonly row: number;
  readonly column: number;
}

export interface HeatMapProps {
  readonly label: string;
  /** What the corner says of rows and columns. */
  readonly corner: string;
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  cell(row: number, column: number): HeatCell;
  /** The cell that an experiment is about. */
  readonly chosen?: Spot | undefined;
  /** Narrow cells, for numbers of two digits. */
  readonly narrow?: boolean;
  /** A cell is under the pointer or has the focus. */
  onPoint?(spot: Spot): void;
  onChoose?(spot: Spot): void;
}

export function HeatMap(props: HeatMapProps): JSX.Element {
  const { label, corner, rows, columns, chosen, narrow, onPoint, onChoose } = props;
  const table = useRef<HTMLTableElement>(null);
  const [wanted, setFocus] = useState<Spot>({ row: rows.length - 1, column: columns.length - 1 });
  const focus = {
    row: Math.min(wanted.row, rows.length - 1),
    column: Math.min(wanted.column, columns.length - 1),
  };
  const go = (spot: Spot): void => {
    setFocus(spot);
    cellAt(table.current, spot)?.focus();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const here = spotOf(event.target);
    if (!here) return;
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      onChoose?.(here);
      return;
    }
    const next = moved(event, here, rows.length, columns.length);
    if (!next) return;
    event.preventDefault();
    go(next);
  };
  const point = (event: { readonly target: EventTarget | null }): void => {
    const spot = spotOf(event.target);
    if (spot) onPoint?.(spot);
  };
  return (
    <div class="scroll">
      <table
        ref={table}
        class={narrow ? 'heat narrow' : 'heat'}
        // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a grid is a table whose cells take the focus.
        role="grid"
        aria-label={label}
        aria-rowcount={rows.length + 1}
        onKeyDown={onKeyDown}
        onPointerOver={point}
        onFocusIn={(event) => {
          const spot = spotOf(event.target);
          if (spot) setFocus(spot);
          point(event);
        }}
        onClick={(event) => {
          const spot = spotOf(event.target);
          if (!spot) return;
          go(spot);
          onChoose?.(spot);
        }}
      >
        <thead>
          <tr>
            <th scope="col" class="corner">
              {corner}
            </th>
            {columns.map((column, index) => (
              <th scope="col" key={index} title={column}>
                <span>{column}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, r) => (
            <tr key={row}>
              <th scope="row" title={row}>
                <span>{row}</span>
              </th>
              {columns.map((_, c) => {
                const { text, level, label, blank } = props.cell(r, c);
                const isChosen = chosen?.row === r && chosen.column === c;
                return (
                  <td
                    key={c}
                    class={blank ? 'blank' : `h${level}`}
                    // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a grid's cell takes the focus.
                    role="gridcell"
                    tabIndex={focus.row === r && focus.column === c ? 0 : -1}
                    aria-label={label}
                    aria-selected={isChosen}
                    data-row={r}
                    data-column={c}
                  >
                    <span>{text}</span>
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What the colours stand for, least to most. */
export function Legend({ from, to }: { readonly from: string; readonly to: string }): JSX.Element {
  return (
    <p class="legend">
      <span>{from}</span>
      <span class="ramp" aria-hidden="true">
        {Array.from({ length: 10 }, (_, level) => (
          <i key={level} class={`h${level}`} />
        ))}
      </span>
      <span>{to}</span>
    </p>
  );
}

/** A share from 0 to 1 as a colour. */
export const levelOf = (share: number): number => Math.max(0, Math.min(9, Math.floor(share * 10)));

function spotOf(target: EventTarget | null): Spot | undefined {
  const cell = target instanceof Element ? target.closest('td') : null;
  if (!cell) return undefined;
  return { row: Number(cell.dataset['row']), column: Number(cell.dataset['column']) };
}

function cellAt(table: HTMLTableElement | null, { row, column }: Spot): HTMLElement | null {
  return table?.querySelector(`td[data-row="${row}"][data-column="${column}"]`) ?? null;
}

const PAGE = 5;

/** Where a key leads; undefined for keys that don't move. */
function moved(
  { key, ctrlKey }: KeyboardEvent,
  { row, column }: Spot,
  rows: number,
  columns: number,
): Spot | undefined {
  const [bottom, right] = [rows - 1, columns - 1];
  switch (key) {
    case 'ArrowUp':
      return { row: Math.max(0, row - 1), column };
    case 'ArrowDown':
      return { row: Math.min(bottom, row + 1), column };
    case 'ArrowLeft':
      return { row, column: Math.max(0, column - 1) };
    case 'ArrowRight':
      return { row, column: Math.min(right, column + 1) };
    case 'PageUp':
      return { row: Math.max(0, row - PAGE), column };
    case 'PageDown':
      return { row: Math.min(bottom, row + PAGE), column };
    case 'Home':
      return { row: ctrlKey ? 0 : row, column: 0 };
    case 'End':
      return { row: ctrlKey ? bottom : row, column: right };
    default:
      return undefined;
  }
}
