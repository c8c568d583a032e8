/**
 * A model's modules as a tree for people: what each takes and gives, and where no hook can fire, dimmed, why. Here
 * because `model.print()` and `tracewire tree` show the same, from the same description.
 */
import { attentionProbabilities, fusedOperator } from './attention.ts';
import type { ModelDescription, ModuleDescription, PortDescription } from './description.ts';
import { describeTensor } from './tensor.ts';
import { plural } from './words.ts';

/** What of a model is shown, and how. */
export interface TreeOptions {
  /** Dims with terminal escapes what can't be hooked. The reasons are there either way. */
  readonly color?: boolean;
  /** Lists the values that each module makes on its way; else they are counted. */
  readonly sources?: boolean;
  /** Shows this module and what is inside it alone. */
  readonly module?: string;
}

/** Blocks that look alike are shown once. Ends without a line feed; an unknown `module` gives the heading alone. */
export function printTree(description: ModelDescription, options: TreeOptions = {}): string {
  return new TreePrinter(description, options).print();
}

interface Branch {
  readonly name: string;
  readonly path: string;
  readonly module: ModuleDescription | undefined;
  readonly children: Map<string, Branch>;
}

class TreePrinter {
  readonly #model: ModelDescription;
  readonly #options: TreeOptions;

  constructor(model: ModelDescription, options: TreeOptions) {
    this.#model = model;
    this.#options = options;
  }

  print(): string {
    const root = this.#grow();
    const { module: path = '' } = this.#options;
    const parts = path === '' ? [] : path.split('.');
    const top = parts.reduce<Branch | undefined>((at, part) => at?.children.get(part), root);
    if (!top) return this.#heading();
    const own = top.module ? this.#facts(top.module) : [];
    const name = path === '' ? '(the whole model)' : path;
    return [this.#heading(), name, ...own.map((line) => `  ${line}`), ...this.#children(top, '  ')].join(
      '\n',
    );
  }

  #heading(): string {
    const { name, architecture, exporter, opset, attention, blocks } = this.#model;
    const heads = attention && `${attention.heads} heads of ${attention.headSize}`;
    const shared =
      attention && attention.keyValueHeads !== attention.heads
        ? `, ${attention.keyValueHeads} for keys and values`
        : '';
    const facts = [architecture, `${exporter}, opset ${opset}`, plural(blocks.length, 'block'), heads];
    return `${name}: ${facts.filter((fact) => fact !== undefined).join('; ')}${shared}`;
  }

  #grow(): Branch {
    const branch = (name: string, path: string): Branch => ({
      name,
      path,
      module: this.#model.modules.find((module) => module.path === path),
      children: new Map(),
    });
    const root = branch('', '');
    // In the order in which they begin, as they stand in the original's source.
    const begins = ({ order }: ModuleDescription): number =>
      order.input ?? order.output ?? Number.POSITIVE_INFINITY;
    for (const { path } of this.#model.modules.toSorted((a, b) => begins(a) - begins(b))) {
      let at = root;
      for (const part of path === '' ? [] : path.split('.')) {
        const inside = at.path === '' ? part : `${at.path}.${part}`;
        const next = at.children.get(part) ?? branch(part, inside);
        at.children.set(part, next);
        at = next;
      }
    }
    return root;
  }

  /** Numbered neighbours whose lines are the same stand for each other. */
  #children(parent: Branch, indent: string): string[] {
    const groups: { names: string[]; lines: string[] }[] = [];
    for (const child of parent.children.values()) {
      const facts = child.module
        ? this.#facts(child.module)
        : [this.#dim('no hook: it holds modules but is none itself')];
      const lines = [...facts.map((line) => `${indent}  ${line}`), ...this.#children(child, `${indent}  `)];
      const last = groups.at(-1);
      const alike = last && isNumber(child.name) && last.lines.join('\n') === lines.join('\n');
      if (alike) last.names.push(child.name);
      else groups.push({ names: [child.name], lines });
    }
    return groups.flatMap(({ names, lines }) => [`${indent}${rangeOf(names)}`, ...lines]);
  }

  /** What a module is, takes and gives; blocks that are alike must give the same, so ONNX names are left out. */
  #facts(module: ModuleDescription): string[] {
    const { inputs, outputs, missing } = module;
    const name = module.class === undefined ? '' : `${module.class} `;
    if (outputs.length === 0) {
      const why = `${name}no hook: ${missing ?? 'it gives nothing'}`;
      return [this.#dim(why), ...this.#sources(module)];
    }
    const [input, ...others] = inputs;
    const takes = input ? describeTensor(input) : this.#dim('no input: nothing flows in');
    const more = others.length > 0 ? ` (and ${plural(others.length, 'more', 'more')})` : '';
    return [`${name}${takes}${more} → ${describeOutputs(outputs)}`, ...this.#sources(module)];
  }

  #sources(module: ModuleDescription): string[] {
    const { sources = [] } = module;
    const found = attentionProbabilities(module, this.#model);
    const attention =
      'source' in found
        ? [`source.attentionProbabilities ${describeTensor(found.source)}`]
        : fusedOperator(module) === undefined
          ? []
          : [this.#dim(`source.attentionProbabilities ${found.unavailable}`)];
    if (!this.#options.sources) {
      return sources.length > 0 ? [...attention, `source: ${plural(sources.length, 'value')}`] : attention;
    }
    return [
      ...attention,
      ...sources.map((source) => `source ${source.operator} ${source.name}: ${describeTensor(source)}`),
    ];
  }

  #dim(text: string): string {
    return this.#options.color ? `\u001b[2m${text}\u001b[22m` : text;
  }
}

/** What a module gives: a tuple in brackets; members that look alike, as a cache's do, once with their number. */
export function describeOutputs(outputs: readonly PortDescription[]): string {
  const runs: { type: string; count: number }[] = [];
  for (const type of outputs.map((output) => describeTensor(output))) {
    const last = runs.at(-1);
    if (last?.type === type) last.count += 1;
    else runs.push({ type, count: 1 });
  }
  const texts = runs.map(({ type, count }) => (count === 1 ? type : `${count} × ${type}`));
  return outputs.length === 1 ? texts.join() : `(${texts.join(', ')})`;
}

const isNumber = (name: string): boolean => /^\d+$/.test(name);

function rangeOf(names: readonly string[]): string {
  const [first = '', ...rest] = names;
  return rest.length === 0 ? first : `${first} … ${rest.at(-1)} (${names.length} alike)`;
}
