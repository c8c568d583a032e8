/** `m.cache('transformer.h.*')`: what all modules of a list or pattern give, saved at once, as a map by path. */
import { type ModuleDescription, nearest } from '@tracewire/protocol';
import { localError } from './errors.ts';
import { ModuleInputs } from './module-inputs.ts';
import { type ModuleScope, scopeOf } from './module-scope.ts';
import { A_BOOLEAN, checkOptions, describe } from './options.ts';
import { Place } from './place.ts';
import type { Recorder } from './recorder.ts';
import type { Saved } from './saved.ts';
import type { SavedValue, Tensor } from './tensor.ts';
import { join, type ModelTree } from './tree.ts';

/** A path, with `*` for any name or a part of one and `**` for any number of names; a RegExp; or a list of these. */
export type ModulePattern = string | RegExp | readonly (string | RegExp)[];

/** Options of `m.cache`. */
export interface CacheOptions {
  /** What the modules give; true if left out. */
  readonly outputs?: boolean | undefined;
  /** What they take; false if left out. */
  readonly inputs?: boolean | undefined;
}

/** What was saved of one module: handles, filled like any other, with `.at(step)` where it was in several steps. */
export interface CachedModule {
  /** Undefined where outputs were left out, and for a module that has none. */
  readonly output: Saved<SavedValue> | undefined;
  /** The first input; undefined where inputs weren't asked for, and for a module that takes no activation. */
  readonly input: Saved<Tensor> | undefined;
  /** All inputs, by their ONNX names. */
  readonly inputs: ReadonlyMap<string, Saved<Tensor>>;
}

/** By path, in the order in which the modules end. */
export type Cache = ReadonlyMap<string, CachedModule>;

export interface CacheApi {
  /**
   * Saves what these modules give (with `inputs: true` what they take, too) as it is at this point of the program; all
   * modules if left out. A pattern takes the modules that can be hooked; one that matches none is an error.
   */
  cache(which?: ModulePattern, options?: CacheOptions): Cache;
}

const OPTIONS = { outputs: A_BOOLEAN, inputs: A_BOOLEAN };

/** The `cache` of a root that is about one prompt and its steps. */
export function cacheOf(recorder: Recorder, tree: ModelTree, scope: ModuleScope): CacheApi['cache'] {
  return (which = '**', options = {}) => {
    recorder.assertOpen();
    checkOptions(options, OPTIONS, 'cache');
    const { outputs = true, inputs = false } = options;
    if (!outputs && !inputs)
      throw localError('bad_input', 'A cache of neither inputs nor outputs would hold nothing.');
    const modules = new Set(toList(which).flatMap((pattern) => matching(recorder, tree, pattern)));
    const ordered = tree.index.description.modules.filter((module) => modules.has(module));
    return new Map(
      ordered.map((module) => [module.path, save(recorder, module, scope, { outputs, inputs })]),
    );
  };
}

function save(
  recorder: Recorder,
  { path, inputs: taken, outputs: given }: ModuleDescription,
  scope: ModuleScope,
  { outputs, inputs }: { readonly outputs: boolean; readonly inputs: boolean },
): CachedModule {
  const places = ModuleInputs.create(recorder, path, scope);
  const saved = inputs
    ? taken.map(({ name }, index): [string, Saved<Tensor>] => [name, places.at(index).save()])
    : [];
  return {
    output: outputs && given.length > 0 ? outputPlace(recorder, path, scope).save() : undefined,
    input: saved[0]?.[1],
    inputs: new Map(saved),
  };
}

function outputPlace(recorder: Recorder, module: string, scope: ModuleScope): Place<SavedValue> {
  return Place.create(recorder, { module, port: 'output', ...scopeOf(scope) });
}

function toList(which: ModulePattern): readonly (string | RegExp)[] {
  const list = Array.isArray(which) ? (which as readonly (string | RegExp)[]) : [which as string | RegExp];
  for (const pattern of list) {
    if (typeof pattern === 'string' || pattern instanceof RegExp) continue;
    const got = describe(pattern);
    const message = `cache wants paths of modules, not ${got}: m.cache('transformer.h.*'), m.cache(['lm_head', /attn$/]).`;
    throw localError('bad_input', message, { wanted: 'a path, a pattern, or a list of them', got });
  }
  if (list.length === 0) throw localError('bad_input', 'cache got an empty list, and would hold nothing.');
  return list;
}

/** The modules that a pattern means; none after an error at the user's line. */
function matching(recorder: Recorder, tree: ModelTree, pattern: string | RegExp): ModuleDescription[] {
  const { modules } = tree.index.description;
  const exact = typeof pattern === 'string' && !pattern.includes('*');
  if (exact) {
    const module = tree.index.modules.get(pattern);
    if (module && canHook(module)) return [module];
    if (tree.kindOf(pattern) !== undefined) {
      const why = module?.missing ?? 'it holds modules but is none itself';
      const hint = module ? '' : ` Write ${JSON.stringify(`${pattern}.*`)} for those in it.`;
      const message = `${pattern} can’t be cached: ${why}.${hint}`;
      recorder.report('no_hook', message, { path: pattern });
      return [];
    }
  }
  const test =
    typeof pattern === 'string'
      ? toRegExp(pattern)
      : new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
  const found = modules.filter(({ path }) => path !== '' && test.test(path));
  const taken = found.filter(canHook);
  if (taken.length === 0) reportNone(recorder, tree, String(pattern), found);
  return taken;
}

const canHook = ({ inputs, outputs }: ModuleDescription): boolean => inputs.length + outputs.length > 0;

function toRegExp(pattern: string): RegExp {
  const parts = pattern.split(/(\*\*|\*)/).map((part) => {
    if (part === '**') return '.*';
    return part === '*' ? '[^.]*' : part.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${parts.join('')}$`);
}

function reportNone(
  recorder: Recorder,
  tree: ModelTree,
  pattern: string,
  found: readonly ModuleDescription[],
): void {
  const { name, modules } = tree.index.description;
  if (found.length > 0) {
    const message = `All modules that match ${JSON.stringify(pattern)} can’t be hooked: ${found[0]?.missing ?? 'they have no hook points'}.`;
    recorder.report('no_hook', message, { path: pattern });
    return;
  }
  // Blocks are one name, so that a pattern finds a pattern.
  const general = new Set(
    modules.flatMap(({ path }) => (path === '' ? [] : [path, path.replace(/\b\d+\b/g, '*')])),
  );
  const near = nearest(pattern, general);
  const hint = near === undefined ? '' : ` Did you mean ${near}?`;
  const message = `No module of ${name} matches ${JSON.stringify(pattern)}.${hint}${whatIsThere(tree, pattern)}`;
  recorder.report('unknown_module', message, { path: pattern, nearest: near });
}

/** The names where a pattern leads astray. */
function whatIsThere(tree: ModelTree, pattern: string): string {
  let path = '';
  for (const segment of pattern.split('.')) {
    if (segment.includes('*') || tree.kindOf(join(path, segment)) !== 'module') break;
    path = join(path, segment);
  }
  const names = tree.childrenOf(path);
  const shown = names.length > 12 ? `${names.slice(0, 12).join(', ')}, …` : names.join(', ');
  return names.length === 0 ? '' : ` ${path || 'The model'} has ${shown}.`;
}
