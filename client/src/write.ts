/** Places as the description tells them, and writing to them. */
import {
  describePlace,
  type PortDescription,
  portsOf,
  type Selection,
  type Place as WirePlace,
} from '@tracewire/protocol';
import { INERT } from './inert.ts';
import { reportMember } from './member.ts';
import { isScalar } from './nested.ts';
import { literalNode, type OperandLike, resolveOperand } from './operands.ts';
import type { Recorder } from './recorder.ts';

/** What a place holds: one port, or several for a tuple; empty where there is no hook point. */
export function portsAt(recorder: Recorder, { module, port, member }: WirePlace): readonly PortDescription[] {
  const description = recorder.index.modules.get(module);
  const all = description ? portsOf(description, port) : [];
  return member === undefined ? all : all.slice(member, member + 1);
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
  reportMember(recorder, index, type, describePlace(place));
  return undefined;
}

function tupleOf(ports: readonly PortDescription[]) {
  return { kind: 'tuple' as const, members: ports.map(({ dtype }) => ({ kind: 'tensor' as const, dtype })) };
}

/** Replaces a place's value or a part of it. Literals take the place's dtype; a number fills what is selected. */
export function writePlace(
  recorder: Recorder,
  place: WirePlace | undefined,
  value: OperandLike,
  selection?: Selection,
): void {
  const resolved = resolveOperand(recorder, value);
  if (!place) return;
  const dtype = portsAt(recorder, place)[0]?.dtype ?? 'float32';
  const node = typeof resolved === 'number' ? resolved : literalNode(recorder, resolved.literal, dtype);
  if (node === INERT) return;
  // Without a selection the dims must be equal; the empty one takes every axis whole, and broadcasts.
  const part = selection ?? (isScalar(value) ? [] : undefined);
  recorder.add({ kind: 'write', place, value: node, ...(part ? { selection: part } : {}) });
}
