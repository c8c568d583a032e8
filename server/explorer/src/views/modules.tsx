/** The model's modules as a tree that opens: what each takes and gives. */
import type { ModelDescription } from '@tracewire/client';
import { describeTensor, type ModuleDescription, type PortDescription } from '@tracewire/protocol';
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { type Context, programIn } from '../context.ts';
import { Code } from '../parts/code.tsx';
import source from '../recipes/modules.js?raw';

interface Branch {
  readonly path: string;
  readonly name: string;
  /** Undefined for what only holds modules. */
  readonly module: ModuleDescription | undefined;
  readonly children: readonly Branch[];
}

type Props = Pick<Context, 'server' | 'description'>;

export function ModulesView(props: Props): JSX.Element {
  const { description } = props;
  const { architecture, exporter, opset, blocks, attention, contextLength, vocabularySize } = description;
  const facts: readonly (readonly [string, string | number | undefined])[] = [
    ['architecture', architecture],
    ['blocks', blocks.length],
    ['heads', attention && `${attention.heads} of ${attention.headSize}`],
    ['context', contextLength && `${contextLength} tokens`],
    ['vocabulary', vocabularySize],
    ['export', `${exporter}, opset ${opset}`],
  ];
  return (
    <div class="view">
      <dl class="facts">
        {facts.map(
          ([name, value]) =>
            value !== undefined && (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ),
        )}
      </dl>
      <ul class="tree">
        {childrenOf(description, '').map((branch) => (
          <Node key={branch.path} branch={branch} open />
        ))}
      </ul>
      <Code of="the modules" program={programIn(props, { source, at: {}, paths: [] })} />
    </div>
  );
}

function Node({ branch, open = false }: { readonly branch: Branch; readonly open?: boolean }): JSX.Element {
  const [isOpen, setOpen] = useState(open);
  const { name, module, children } = branch;
  const line = (
    <>
      <code>{name}</code>
      {module?.class !== undefined && <span class="quiet"> {module.class}</span>}
      <span class="ports">{module ? portsOf(module) : `${children.length} modules`}</span>
    </>
  );
  if (children.length === 0) return <li class="leaf">{line}</li>;
  return (
    <li>
      <details open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>{line}</summary>
        {isOpen && (
          <ul>
            {children.map((child) => (
              <Node key={child.path} branch={child} />
            ))}
          </ul>
        )}
      </details>
    </li>
  );
}

function portsOf({ inputs, outputs, missing }: ModuleDescription): string {
  if (missing !== undefined) return missing;
  return `${several(inputs)} → ${several(outputs)}`;
}

function several([first, ...more]: readonly PortDescription[]): string {
  if (!first) return 'nothing';
  return more.length === 0 ? describeTensor(first) : `${describeTensor(first)} and ${more.length} more`;
}

function childrenOf({ modules }: ModelDescription, parent: string): Branch[] {
  const byPath = new Map(modules.map((module) => [module.path, module]));
  const names = new Map<string, Set<string>>();
  for (const { path } of modules) {
    const segments = path.split('.');
    for (let depth = 0; path !== '' && depth < segments.length; depth++) {
      const above = segments.slice(0, depth).join('.');
      const inside = names.get(above) ?? new Set<string>();
      inside.add(segments[depth] ?? '');
      names.set(above, inside);
    }
  }
  const branch = (path: string, name: string): Branch => ({
    path,
    name,
    module: byPath.get(path),
    children: Array.from(names.get(path) ?? [], (child) => branch(`${path}.${child}`, child)),
  });
  return Array.from(names.get(parent) ?? [], (name) => branch(name, name));
}
