/**
 * The program that a view shows: its recipe's own text, with the paths that were variables written out, around it what makes
 * it run by itself. Only names are put in; what the function does stands as it ran.
 */

/** A recipe's file as text. */
export type Source = string;

export interface ProgramOptions {
  readonly source: Source;
  readonly model: string;
  /** `ws://127.0.0.1:7331` */
  readonly url: string;
  /** Whether the server wants a key; it is never written into a program. */
  readonly keyed: boolean;
  /** What the recipe was called with. */
  readonly at: Readonly<Record<string, string | number>>;
  /** Those of them that are paths of modules. */
  readonly paths: readonly string[];
}

/** Throws where the recipe isn't written as recipes are, which its test finds. */
export function programOf({ source, model, url, keyed, at, paths }: ProgramOptions): string {
  const [, body = ''] = expectMatch(/\nexport async function \w+\([^\n]*\) \{\n([\s\S]*?)\n\}\n/, source);
  const [, result = '', shown = ''] = expectMatch(
    /\nexport function print\(([^\n]*)\) \{\n([\s\S]*?)\n\}\n/,
    source,
  );
  const written = paths.reduce((text, name) => writeOut(text, name, String(at[name])), body);
  const used = Object.entries(at).filter(([name]) => !paths.includes(name));
  return [
    "import { LanguageModel } from '@tracewire/client';",
    '',
    ...(keyed ? ['// The server wants a key: set TRACEWIRE_KEY.'] : []),
    `const model = new LanguageModel(${quoted(model)}, { url: ${quoted(url)} });`,
    ...used.map(([name, value]) => `const ${name} = ${typeof value === 'number' ? value : quoted(value)};`),
    '',
    dedent(written).replace(/^return /m, `const ${result} = await `),
    '',
    dedent(shown),
    'await model.close();',
    '',
  ].join('\n');
}

function expectMatch(pattern: RegExp, text: string): RegExpExecArray {
  const found = pattern.exec(text);
  if (!found) throw new Error('The recipe is not written as recipes are.');
  return found;
}

/** `m.get(block)` as `m.transformer.h[3]`. */
function writeOut(text: string, name: string, path: string): string {
  return text.replaceAll(`.get(${name})`, dotted(path));
}

/** Names of the client's own on modules, which a path that has them is reached around. */
const OWN = /^(input|inputs|output|source|skip|get|at|parameter|weight|bias|then|length)$/;

function dotted(path: string): string {
  const segments = path.split('.');
  if (segments.some((segment) => OWN.test(segment))) return `.get(${quoted(path)})`;
  return segments
    .map((segment) => {
      if (/^\d+$/.test(segment)) return `[${segment}]`;
      return /^[A-Za-z_$][\w$]*$/.test(segment) ? `.${segment}` : `[${quoted(segment)}]`;
    })
    .join('');
}

/** Single quotes where nothing has to be escaped. */
function quoted(text: string): string {
  const json = JSON.stringify(text);
  return /['\\]/.test(json) ? json : `'${json.slice(1, -1)}'`;
}

const dedent = (text: string): string => text.replace(/^ {2}/gm, '');
