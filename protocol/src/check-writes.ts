/** Checks of what changes the pass: writes and skips, as far as dtypes and dims tell before anything runs. */
import type { GraphChecker } from './check.ts';
import { describePlace, type NodeOf, operandsOf, placeOf } from './graph.ts';
import { type HookTime, isLater, laterOf, NEVER } from './hook-time.ts';
import { NONE, type NodeType, type TensorType } from './node-type.ts';
import { selectionFaults } from './selection-faults.ts';
import { broadcastsTo, type Dims, describeDims, unify } from './shapes/dim.ts';
import { selected } from './shapes/selection.ts';
import { plural } from './words.ts';

export function checkWrite(checker: GraphChecker, node: NodeOf<'write'>, id: number): NodeType {
  const { place, selection, mask } = node;
  const written = laterOf(checker.timeOf(node.value), mask === undefined ? NEVER : checker.timeOf(mask));
  const type = checker.place(place, id);
  const path = place.module;
  if (type.kind === 'tuple') {
    checker.report(
      'tuple_value',
      `${describePlace(place)} is a tuple. Write one member: ${describePlace({ ...place, member: 0 })}.`,
      { node: id, path, wanted: 'a tensor', got: 'a tuple' },
    );
  }
  if (type.kind !== 'tensor') return NONE;
  for (const { message, ...facts } of selection ? selectionFaults(selection, type.dims ?? []) : [])
    checker.report('bad_selection', `In the selection of ${describePlace(place)}, ${message}.`, {
      node: id,
      path,
      ...facts,
    });
  const dims = selection && type.dims ? selected(selection, type.dims) : type.dims;
  checkMask(checker, node, dims, id);
  const value = checker.tensorOperand(node.value, id, 'The written value');
  if (value) {
    const where = selection ? `The selected part of ${describePlace(place)}` : describePlace(place);
    const whole = selection === undefined && mask === undefined;
    checkFit(checker, where, { ...type, dims }, value, whole, { node: id, path });
  }
  const rank = checker.index.rank(place);
  const time = rank === undefined ? undefined : checker.timeAt(place, rank);
  if (time && isLater(written, time)) {
    const what = written.step > time.step ? 'step' : written.rank > time.rank ? 'module' : 'invoke';
    const got = comesFrom(checker, id, written);
    const from = got === undefined ? `a later ${what}` : `${got}, which is of a later ${what}`;
    const message = `The value written to ${describePlace(place)} comes from ${from}, so it can’t exist in time.`;
    checker.report('write_order', message, { node: id, path, got });
  }
  return NONE;
}

/** The value must exist when the module would begin, and be what the module gives: all of it, or its first output. */
export function checkSkip(checker: GraphChecker, node: NodeOf<'skip'>, id: number): NodeType {
  const { module: path, invoke = 0 } = node;
  const written = checker.timeOf(node.value);
  const module = checker.module(path, id);
  if (!module) return NONE;
  const at = { node: id, path };
  const begins = module.order.input;
  if (begins === undefined || module.outputs.length === 0) {
    const why = module.missing ?? 'nothing flows into it, so there is no point at which to skip it';
    checker.report('no_hook', `${path} can’t be skipped: ${why}.`, at);
    return NONE;
  }
  // It acts in the steps of what stands for the module.
  const steps = checker.stepsOf(node.value);
  const place = { module: path, port: 'input', invoke, steps } as const;
  checker.actsAt(place, id);
  const time = checker.timeAt(place, begins);
  if (isLater(written, time)) {
    const what =
      written.step > time.step
        ? 'a later step'
        : written.rank > begins
          ? 'a place inside it or later'
          : 'a later invoke';
    const got = comesFrom(checker, id, written);
    const from = got === undefined ? what : `${got}, which is of ${what}`;
    const message = `The value that stands for ${path} comes from ${from}, so it can’t exist when the module is skipped. Use one from before, such as ${path}.input.`;
    checker.report('write_order', message, { ...at, got });
  }
  const given = checker.typeOf(node.value);
  if (given.kind === 'tuple' && given.members.length !== module.outputs.length) {
    const message = `${path} gives ${plural(module.outputs.length, 'value')}; the tuple that stands for them has ${given.members.length}.`;
    const [wanted, got] = [module.outputs.length, given.members.length].map((count) =>
      plural(count, 'value'),
    );
    checker.report('tuple_value', message, { ...at, wanted, got });
    return NONE;
  }
  const members = given.kind === 'tuple' ? given.members : [given];
  for (const [member, value] of members.entries()) {
    const port = module.outputs[member];
    const where = describePlace({ module: path, port: 'output', ...(member > 0 ? { member } : {}) });
    if (port && value.kind === 'tensor')
      checkFit(checker, where, checker.typeOfPort(port, { invoke, steps }), value, true, at);
  }
  return NONE;
}

/** A whole place wants its own dims; a part, those that broadcast to it. */
function checkFit(
  checker: GraphChecker,
  where: string,
  place: TensorType,
  written: TensorType,
  whole: boolean,
  at: { readonly node: number; readonly path: string },
): void {
  if (written.dtype !== place.dtype) {
    const message = `${where} is ${place.dtype}; the written value is ${written.dtype}. Nothing is cast by itself: Cast it to ${place.dtype}.`;
    checker.report('wrong_dtype', message, { ...at, wanted: place.dtype, got: written.dtype });
    return;
  }
  const { dims } = place;
  if (!dims || !written.dims) return;
  const fits = whole
    ? written.dims.length === dims.length &&
      written.dims.every((dim, axis) => unify(dim, dims[axis] ?? 1) !== undefined)
    : broadcastsTo(written.dims, dims);
  if (fits) return;
  const [wanted, got] = [describeDims(dims), describeDims(written.dims)];
  checker.report('wrong_dims', `${where} has dims ${wanted}; the written value has ${got}.`, {
    ...at,
    wanted,
    got,
  });
}

function checkMask(
  checker: GraphChecker,
  { place, mask }: NodeOf<'write'>,
  dims: Dims | undefined,
  node: number,
): void {
  const type = mask === undefined ? undefined : checker.tensorOperand(mask, node, 'The mask');
  if (!type) return;
  const at = { node, path: place.module };
  if (type.dtype !== 'bool') {
    const message = `The mask of a write to ${describePlace(place)} is bool, not ${type.dtype}. Compare to make one: .gt(0), .eq(…).`;
    checker.report('wrong_dtype', message, { ...at, wanted: 'bool', got: type.dtype });
  }
  if (!dims || !type.dims || broadcastsTo(type.dims, dims)) return;
  const [wanted, got] = [`dims that broadcast to ${describeDims(dims)}`, describeDims(type.dims)];
  const message = `The mask of a write to ${describePlace(place)} doesn’t fit: wanted ${wanted}, got ${got}.`;
  checker.report('wrong_dims', message, { ...at, wanted, got });
}

/** The place that an operand of a node was read at, at that time. */
function comesFrom(checker: GraphChecker, node: number, time: HookTime): string | undefined {
  const seen = new Set<number>();
  const open = [node];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const at = checker.nodeOf(id);
    if (!at || seen.has(id)) continue;
    seen.add(id);
    const place = placeOf(at);
    const { step, rank, invoke } = checker.timeOf(id);
    const isFrom = step === time.step && rank === time.rank && invoke === time.invoke;
    if (id !== node && place && at.kind === 'read' && isFrom) return describePlace(place);
    open.push(...operandsOf(at));
  }
  return undefined;
}
