/**
 * A model's description as TypeScript: a declaration file by which an editor completes the model's paths, marks wrong
 * ones, and shows dims. Modules that look alike share one interface. Names come from a server or a file that nobody
 * checked, so they are quoted, and comments can't be ended by them.
 */
import {
  attentionProbabilities,
  DTYPES,
  describeOutputs,
  describeTensor,
  type ModelDescription,
  type ModuleDescription,
} from '@tracewire/protocol';

/** What every module has of itself; a module of the model with such a name is reached by `get` alone. */
const OWN = new Set(['output', 'input', 'inputs', 'source', 'skip', 'get', 'at', 'parameter', 'then']);
/** Lines of a list in a comment. */
const MOST_LINES = 16;

/** Ends with a line feed. */
export function declarationOf(description: ModelDescription): string {
  return new Declaration(description).text();
}

interface Branch {
  readonly path: string;
  readonly children: Map<string, Branch>;
  module: ModuleDescription | undefined;
  /** Its own, by the last part of the name. */
  readonly parameters: Map<string, string>;
}

class Declaration {
  readonly #model: ModelDescription;
  readonly #root: Branch;
  /** The type that stands for a path. */
  readonly #types = new Map<string, string>();
  /** Interfaces by their text, so that equal ones are written once. */
  readonly #names = new Map<string, string>();
  readonly #taken: Set<string>;
  readonly #written: string[] = [];
  readonly #name: string;

  constructor(model: ModelDescription) {
    this.#model = model;
    this.#root = grow(model);
    this.#name = typeName(model.name, 'Model');
    this.#taken = new Set([this.#name, `${this.#name}Paths`, `${this.#name}Parameters`]);
  }

  text(): string {
    const { name, id, architecture, parameters } = this.#model;
    const root = this.#members(this.#root);
    const paths = [...this.#types].map(([path, type]) => `  readonly ${quote(path)}: ${type};`);
    const names = parameters.map((parameter) => `\n  | ${quote(parameter.name)}`);
    const gives = outputType(this.#root.module);
    const lines = [
      `// Written by \`tracewire types\`: ${line(name)}, ${line(architecture)}, ${line(id)}.`,
      '// Write it again when the model changes.',
      "import type { Place, Tensor, TracedValue, TypedList, TypedModule, TypedRoot } from '@tracewire/client';",
      '',
      "declare module '@tracewire/client' {",
      '  interface ModelTypes {',
      `    ${quote(name)}: ${this.#name};`,
      '  }',
      '}',
      '',
      comment('', [`${name}: ${architecture}.`]),
      `export interface ${this.#name} extends TypedRoot<${gives}, ${this.#name}Paths, ${this.#name}Parameters> {`,
      ...root,
      '}',
      '',
      ...this.#written,
      `interface ${this.#name}Paths {`,
      ...paths,
      '}',
      '',
      `type ${this.#name}Parameters =${names.join('') || ' never'};`,
    ];
    return `${lines.join('\n')}\n`;
  }

  /** The lines inside a module's interface. Children are written before it. */
  #members({ children, module, parameters }: Branch): string[] {
    const lines = [...this.#places(module)];
    for (const [segment, child] of children) {
      const type = this.#typeOf(child);
      if (OWN.has(segment)) continue;
      lines.push(comment('  ', [this.#about(child)]), `  readonly ${key(segment)}: ${type};`);
    }
    for (const [segment, about] of parameters) {
      if (!OWN.has(segment) && !children.has(segment))
        lines.push(comment('  ', [about]), `  readonly ${key(segment)}: TracedValue;`);
    }
    return lines;
  }

  #typeOf(branch: Branch): string {
    const list = isList(branch);
    // The path of a child stands behind its parent's.
    this.#types.set(branch.path, '');
    const members = this.#members(branch);
    const body = `${list ? '' : outputType(branch.module)} ${members.join('\n')}`;
    const name = this.#names.get(body) ?? this.#write(branch, members, list, body);
    const type = list ? `TypedList<${name}>` : name;
    this.#types.set(branch.path, type);
    return type;
  }

  #write(branch: Branch, members: readonly string[], list: boolean, body: string): string {
    const name = this.#free(typeName(branch.path.replace(/(^|\.)\d+(?=\.|$)/g, '$1'), 'Module'));
    this.#names.set(body, name);
    const base = list ? '' : ` extends TypedModule<${outputType(branch.module)}>`;
    this.#written.push(`interface ${name}${base} {`, ...members, '}', '');
    return name;
  }

  #free(wanted: string): string {
    let name = wanted;
    for (let count = 2; this.#taken.has(name); count++) name = `${wanted}${count}`;
    this.#taken.add(name);
    return name;
  }

  /** ONNX names are left out, or no two blocks were alike. */
  #places(module: ModuleDescription | undefined): string[] {
    if (!module) return [];
    const { inputs, outputs, missing = 'it gives nothing' } = module;
    const [input, ...others] = inputs;
    const member = (about: readonly string[], name: string, type: string): string[] => [
      comment('  ', about),
      `  readonly ${name}: ${type};`,
    ];
    const all = inputs.map((one, index) => `[${index}] ${describeTensor(one)}`);
    const sources = this.#sources(module);
    return [
      ...(outputs.length > 0
        ? member([`Gives ${describeOutputs(outputs)}.`], 'output', `Place<${outputType(module)}>`)
        : member([`No hook: ${missing}.`], 'output', 'never')),
      ...(input
        ? member([`Takes ${describeTensor(input)}.`], 'input', 'Place<Tensor>')
        : member(['No hook: nothing flows in.'], 'input', 'never')),
      ...(others.length > 0
        ? member(['All that it takes:', ...shorten(all)], 'inputs', "TypedModule<Tensor>['inputs']")
        : []),
      ...(sources.length > 0
        ? member(['What it makes on its way:', ...sources], 'source', "TypedModule<Tensor>['source']")
        : []),
    ];
  }

  #sources(module: ModuleDescription): string[] {
    const found = attentionProbabilities(module, this.#model);
    const attention = 'source' in found ? [`attentionProbabilities ${describeTensor(found.source)}`] : [];
    // Shapes and indices are computed too, and seldom looked at.
    const floats = (module.sources ?? []).filter(({ dtype }) => DTYPES[dtype].kind === 'float');
    return [...attention, ...shorten(floats.map((one) => `${one.operator} ${describeTensor(one)}`))];
  }

  /** What an editor shows for a child. */
  #about({ module, children }: Branch): string {
    if (!module) {
      const numbered = [...children.keys()].filter((name) => /^\d+$/.test(name)).length;
      return numbered > 0 ? `${numbered} modules.` : 'Holds modules but is none itself: no hook.';
    }
    const [input] = module.inputs;
    const name = module.class === undefined ? '' : `${module.class}: `;
    if (module.outputs.length === 0) return `${name}no hook: ${module.missing ?? 'it gives nothing'}.`;
    return `${name}${input ? describeTensor(input) : 'nothing'} → ${describeOutputs(module.outputs)}.`;
  }
}

function grow({ modules, parameters }: ModelDescription): Branch {
  const branch = (path: string): Branch => ({
    path,
    children: new Map(),
    module: undefined,
    parameters: new Map(),
  });
  const root = branch('');
  const at = (segments: readonly string[]): Branch =>
    segments.reduce((parent, segment) => {
      const path = parent.path === '' ? segment : `${parent.path}.${segment}`;
      const child = parent.children.get(segment) ?? branch(path);
      parent.children.set(segment, child);
      return child;
    }, root);
  for (const module of modules) at(module.path === '' ? [] : module.path.split('.')).module = module;
  for (const parameter of parameters) {
    const segments = parameter.name.split('.');
    const last = segments.pop() ?? '';
    at(segments).parameters.set(last, describeTensor(parameter));
  }
  return root;
}

/** Numbered modules from 0 on, and nothing else. */
function isList({ module, children, parameters }: Branch): boolean {
  if (module || parameters.size > 0 || children.size === 0) return false;
  return Array.from(children.keys()).every((name) => /^\d+$/.test(name));
}

function outputType(module: ModuleDescription | undefined): string {
  const count = module?.outputs.length ?? 1;
  return count <= 1 ? 'Tensor' : `readonly [${Array.from({ length: count }, () => 'Tensor').join(', ')}]`;
}

function shorten(lines: readonly string[]): readonly string[] {
  if (lines.length <= MOST_LINES) return lines;
  return [...lines.slice(0, MOST_LINES), `and ${lines.length - MOST_LINES} more`];
}

/** `tiny-gpt2` is `TinyGpt2`. */
function typeName(text: string, otherwise: string): string {
  const words = text.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  const name = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  return /^[A-Za-z]/.test(name) ? name : `${otherwise}${name}`;
}

/** JSON leaves two of JavaScript's line ends as they are. */
const line = (text: string): string => text.replace(/[\r\n\u2028\u2029]+/g, ' ');
const quote = (text: string): string => line(JSON.stringify(text));
const key = (segment: string): string => (/^[A-Za-z_$][\w$]*$/.test(segment) ? segment : quote(segment));

/** The first line is the heading of the others. */
function comment(indent: string, lines: readonly string[]): string {
  const [first = '', ...rest] = lines.map((text) => line(text).replaceAll('*/', '* /'));
  if (rest.length === 0) return `${indent}/** ${first} */`;
  const listed = rest.map((text) => `${indent} * - ${text}`);
  return [`${indent}/**`, `${indent} * ${first}`, ...listed, `${indent} */`].join('\n');
}
