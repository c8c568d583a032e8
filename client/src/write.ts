/** Places as the description tells them, and writing to them. */
import {
  describePlace,
  type PortDescription,
  type Selection,
  type Place as WirePlace,
} from '@tracewire/protocol';
import { INERT } from './inert.ts';
import { reportMember } from './member.ts';
import { isScalar } from './nested.ts';
import { literalNode, type OperandLike, resolveOperand } from './operands.ts';
import type { Recorder } from './recorder.ts';
import type { AxisMask } from './selection.ts';

/** What a place holds: one port, or several for a tuple; empty where there is no hook point. */
export function portsAt(recorder: Recorder, place: WirePlace): readonly PortDescription[] {
  return recorder.index.portsAt(place);
}

/** The place of one member; of a single tensor, member 0 is itself. Undefined after an error. */
export function memberPlace(recorder: Recorder, place: WirePlace, index: number): WirePlace | undefined {
  recorder.assertOpen();
  const ports = portsAt(recorder, place);
  const member = index < 0 ? index + ports.length : index;
  // A place without hook points is reported by the checker, with its reason, when it is used.
  if (ports.length === 0 || (ports.length === 1 && member === 0)) return { member: 0, ...place };
  if (ports[member]) return { ...place, member };
  const type =
    ports.length > 1 ? tupleOf(ports) : { kind: 'tensor' as const, dtype: ports[0]?.dtype ?? 'float32' };
  reportMember(recorder, index, type, describePlace(place), place.module);
  return undefined;
}

function tupleOf(ports: readonly PortDescription[]) {
  return { kind: 'tuple' as const, members: ports.map(({ dtype }) => ({ kind: 'tensor' as const, dtype })) };
}

/**
 * Replaces a place's value or a part of it, with a mask only where that is true. Literals take the place's dtype; a
 * number fills what is selected.
 */
export function writePlace(
  recorder: Recorder,
  place: WirePlace | undefined,
  value: OperandLike,
  selection?: Selection,
  mask?: number,
): void {
  const resolved = resolveOperand(recorder, value);
  if (!place) return;
  const dtype = portsAt(recorder, place)[0]?.dtype ?? 'float32';
  const node = typeof resolved === 'number' ? resolved : literalNode(recorder, resolved.literal, dtype);
  if (node === INERT || mask === INERT) return;
  // Without a selection the dims must be equal; the empty one takes every axis whole, and broadcasts.
  const part = selection ?? (isScalar(value) && mask === undefined ? [] : undefined);
  recorder.add({
    kind: 'write',
    place,
    value: node,
    ...(part ? { selection: part } : {}),
    ...(mask === undefined ? {} : { mask }),
  });
}

/** A list of booleans along one axis as a bool tensor that broadcasts to what a selection takes. */
export function axisMask(
  recorder: Recorder,
  place: WirePlace | undefined,
  selection: Selection,
  { axis, chosen }: AxisMask,
): number {
  if (!place) return INERT;
  const { dims } = portsAt(recorder, place)[0] ?? { dims: [] };
  const size = dims[axis];
  const isOther = typeof size === 'number' ? chosen.length !== size : chosen.length === 1;
  if (size === undefined || isOther) {
    const why = size === undefined ? `there is no axis ${axis}` : `axis ${axis} has ${size}`;
    const message = `The list of ${chosen.length} booleans doesn’t fit ${describePlace(place)}: ${why}.`;
    const facts = { wanted: size === undefined ? undefined : String(size), got: String(chosen.length) };
    recorder.report('bad_selection', message, { path: place.module, ...facts });
    return INERT;
  }
  const after = dims.filter((_, later) => later > axis && typeof selection[later] !== 'number').length;
  const data = Uint8Array.from(chosen, Number);
  return recorder.constant({
    dtype: 'bool',
    dims: [chosen.length, ...new Array<number>(after).fill(1)],
    data,
  });
}
