/**
 * Module proxies: property access follows the model's tree. Our own names come first; what the model doesn't
 * have is reported at the user's line, and answered with a module that leads to no further errors.
 */
import { describeSteps, type Steps, sameSteps } from '@tracewire/protocol';
import { localError } from './errors.ts';
import { ModuleInputs } from './module-inputs.ts';
import { registerModule } from './module-registry.ts';
import { scopeOf } from './module-scope.ts';
import { ModuleSource } from './module-source.ts';
import type { Module } from './module-types.ts';
import { coerceOperand, type OperandLike } from './operands.ts';
import { Place } from './place.ts';
import { ANY_MEMBERS } from './placeholder.ts';
import type { Recorder } from './recorder.ts';
import { INSPECT } from './tensor.ts';
import type { TracedValue } from './traced.ts';
import { join, type ModelTree } from './tree.ts';

/** One module of one trace; `path` is undefined where an error has been reported. */
export interface ModuleSite {
  readonly recorder: Recorder;
  readonly tree: ModelTree;
  readonly path: string | undefined;
  /** The prompt whose values its places are about. */
  readonly invoke: number;
  /** The steps of a generation that its places are about; undefined is the first. */
  readonly steps?: Steps | undefined;
}

/** `own` are members of this module alone, such as the root's. */
export function createModule(site: ModuleSite, own: Readonly<Record<string, unknown>> = {}): Module {
  const { path } = site;
  const inspect = (): string => `Module(${path ?? 'unknown'})`;
  const target = Object.assign(() => undefined, { [INSPECT]: inspect });
  const proxy = new Proxy(target, {
    get: (_, key) => (typeof key === 'symbol' ? symbolMember(site, key, inspect) : member(site, own, key)),
    apply: (_, __, inputs: OperandLike[]) => applyModule(site, inputs),
    set(_, key) {
      throw localError(
        'misuse',
        `Assigning to ${String(key)} changes nothing in a trace. Write .output.set(value).`,
      );
    },
  }) as unknown as Module;
  registerModule(proxy, path);
  return proxy;
}

const API: Readonly<Record<string, (site: ModuleSite) => unknown>> = {
  output: (site) => place(site, 'output'),
  input: (site) => place(site, 'input'),
  inputs: ({ recorder, path, invoke, steps }) => ModuleInputs.create(recorder, path, { invoke, steps }),
  source: ({ recorder, path, invoke, steps }) => new ModuleSource(recorder, path, { invoke, steps }),
  skip: (site) => (value: OperandLike) => skipModule(site, value),
  get: (site) => (path: string) => getModule(site, path),
  at: (site) => (index: number) => memberModule(site, index),
  parameter: (site) => (name: string) => parameter(site, name),
  toString: () => refuseCoercion,
  valueOf: () => refuseCoercion,
  toJSON: () => refuseCoercion,
};

function member(site: ModuleSite, own: Readonly<Record<string, unknown>>, key: string): unknown {
  if (key === 'then') return undefined;
  site.recorder.assertOpen();
  if (Object.hasOwn(own, key)) return own[key];
  if (Object.hasOwn(API, key)) return API[key]?.(site);
  return child(site, key);
}

function child(site: ModuleSite, segment: string): unknown {
  const { recorder, tree, path } = site;
  if (path === undefined) return createModule(site);
  if (/^-\d+$/.test(segment)) {
    throw localError('misuse', `JavaScript has no negative index: write .at(${segment}).`);
  }
  const full = join(path, segment);
  const kind = tree.kindOf(full);
  if (kind === 'module') return createModule({ ...site, path: full });
  if (kind === 'parameter' || segment === 'weight' || segment === 'bias') return parameter(site, segment);
  if (segment === 'length' && tree.lengthOf(path) > 0) return tree.lengthOf(path);
  reportUnknown(recorder, tree, path, segment);
  return createModule({ ...site, path: undefined });
}

function symbolMember(site: ModuleSite, key: symbol, inspect: () => string): unknown {
  if (key === Symbol.toPrimitive) return refuseCoercion;
  if (key === Symbol.iterator) return () => blocks(site);
  return key === INSPECT ? inspect : undefined;
}

/** `for (const block of m.transformer.h)`. */
function* blocks(site: ModuleSite): Generator<Module> {
  const { tree, path } = site;
  const length = path === undefined ? ANY_MEMBERS : tree.lengthOf(path);
  if (length === 0) throw localError('misuse', `${path || 'The model'} is no list of modules.`);
  for (let index = 0; index < length; index++) yield memberModule(site, index);
}

function place({ recorder, path, invoke, steps }: ModuleSite, port: 'input' | 'output'): unknown {
  if (path === undefined) return Place.create(recorder, undefined);
  return Place.create(recorder, { module: path, port, ...scopeOf({ invoke, steps }) });
}

function getModule(site: ModuleSite, path: string): Module {
  const { recorder, tree } = site;
  recorder.assertOpen();
  if (site.path === undefined || path === '') return createModule(site);
  const full = join(site.path, String(path));
  const kind = tree.kindOf(full);
  if (kind === 'module') return createModule({ ...site, path: full });
  if (kind === 'parameter') {
    const message = `${full} is a parameter: write m.parameter(${JSON.stringify(full)}).`;
    recorder.report('unknown_module', message, { path: full });
  } else {
    reportUnknown(recorder, tree, '', full);
  }
  return createModule({ ...site, path: undefined });
}

function memberModule(site: ModuleSite, index: number): Module {
  const { recorder, tree, path } = site;
  recorder.assertOpen();
  if (path === undefined) return createModule(site);
  const full = join(path, String(index < 0 ? index + tree.lengthOf(path) : index));
  if (tree.kindOf(full) === 'module') return createModule({ ...site, path: full });
  reportUnknown(recorder, tree, path, String(index));
  return createModule({ ...site, path: undefined });
}

function parameter({ recorder, path }: ModuleSite, name: string): TracedValue {
  if (path === undefined) return recorder.inert();
  return recorder.value(recorder.add({ kind: 'parameter', name: join(path, String(name)) }));
}

function applyModule({ recorder, path }: ModuleSite, inputs: readonly OperandLike[]): TracedValue {
  const [input] = inputs;
  if (input === undefined || inputs.length > 1) {
    throw localError('misuse', `A module is applied to one value, not ${inputs.length}: m.lm_head(hidden).`);
  }
  const module = path === undefined ? undefined : recorder.index.modules.get(path);
  const node = coerceOperand(recorder, input, module?.inputs[0]?.dtype ?? 'float32');
  if (path === undefined) return recorder.inert();
  return recorder.derive([node], { kind: 'apply', module: path, input: node });
}

function skipModule({ recorder, path, invoke, steps }: ModuleSite, value: OperandLike): void {
  recorder.assertOpen();
  if (value === undefined) {
    throw localError('misuse', 'A skip wants the value that stands for the output: block.skip(block.input).');
  }
  const node = coerceOperand(
    recorder,
    value,
    recorder.index.modules.get(path ?? '')?.outputs[0]?.dtype ?? 'float32',
  );
  if (path === undefined || node < 0) return;
  if (path === '')
    throw localError('misuse', 'The whole model can’t be skipped. Skip the modules inside it.');
  if (recorder.generate && !sameSteps(recorder.stepsOf(node) ?? 0, steps ?? 0)) {
    refuseSteps(recorder, path, node, steps ?? 0);
    return;
  }
  recorder.add({ kind: 'skip', module: path, value: node, ...(invoke > 0 ? { invoke } : {}) });
}

/** A skip acts in the steps of its value, which must be the module's. */
function refuseSteps(recorder: Recorder, path: string, node: number, steps: Steps): void {
  const given = recorder.stepsOf(node);
  const what = given === undefined ? 'has no steps' : `is of steps ${describeSteps(given)}`;
  const message = `The value that stands for ${path} ${what}, and the module is skipped in steps ${describeSteps(steps)}. Take it there, or make it of these steps: m.iter(steps).${path}.input.mul(0).add(value).`;
  const facts = {
    path,
    wanted: describeSteps(steps),
    got: given === undefined ? 'none' : describeSteps(given),
  };
  recorder.report('bad_reference', message, facts);
}

function reportUnknown(recorder: Recorder, tree: ModelTree, path: string, segment: string): void {
  const full = join(path, segment);
  const length = tree.lengthOf(path);
  if (/^-?\d+$/.test(segment) && length > 0) {
    const message = `${path} has ${length} modules, 0 to ${length - 1}, so no ${segment}.`;
    recorder.report('unknown_module', message, { path: full, wanted: `0 to ${length - 1}`, got: segment });
    return;
  }
  const near = tree.nearest(path, segment, ['output', 'input', 'inputs', 'source']);
  const { message, nearest } = tree.index.noModule(full, near);
  recorder.report('unknown_module', message, { path: full, nearest });
}

function refuseCoercion(): never {
  throw localError(
    'misuse',
    'A module is no value. Write .output for what it gives, .input for what it takes.',
  );
}
