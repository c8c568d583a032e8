/** Tabs with one stop for the Tab key: left and right choose. */
import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';

interface Props<T extends string> {
  readonly tabs: Readonly<Record<T, string>>;
  readonly chosen: T;
  onChoose(tab: T): void;
}

export function TabList<T extends string>({ tabs, chosen, onChoose }: Props<T>): JSX.Element {
  const list = useRef<HTMLDivElement>(null);
  const names = Object.keys(tabs) as T[];
  const go = (index: number): void => {
    const name = names[(index + names.length) % names.length];
    if (name === undefined) return;
    onChoose(name);
    list.current?.querySelector<HTMLElement>(`#tab-${name}`)?.focus();
  };
  return (
    <div
      ref={list}
      class="tabs"
      role="tablist"
      aria-label="Views"
      onKeyDown={({ key }) => {
        const at = names.indexOf(chosen);
        if (key === 'ArrowRight') go(at + 1);
        else if (key === 'ArrowLeft') go(at - 1);
        else if (key === 'Home') go(0);
        else if (key === 'End') go(names.length - 1);
      }}
    >
      {names.map((name) => (
        <button
          key={name}
          type="button"
          role="tab"
          id={`tab-${name}`}
          aria-selected={name === chosen}
          aria-controls="panel"
          tabIndex={name === chosen ? 0 : -1}
          onClick={() => onChoose(name)}
        >
          {tabs[name]}
        </button>
      ))}
    </div>
  );
}
