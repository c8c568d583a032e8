/** Members of tuples: `value[0]`, `value.at(-1)`. */
import type { NodeType } from '@tracewire/protocol';
import type { Recorder } from './recorder.ts';
import type { TracedValue } from './traced.ts';

/**
 * One member of a tuple; negative indices count from the end. What a module gives as one tensor is its own
 * member 0, never row 0 of the batch; of a computed tensor there is no member, for row 0 might be meant.
 */
export function memberOf(recorder: Recorder, node: number, index: number): TracedValue {
  const type = recorder.typeOf(node);
  if (type.kind === 'unknown') return recorder.inert();
  if (type.kind === 'tuple') {
    const member = index < 0 ? index + type.members.length : index;
    if (type.members[member])
      return recorder.value(recorder.add({ kind: 'member', of: node, index: member }));
  }
  if (type.kind === 'tensor' && isGiven(recorder, node) && (index === 0 || index === -1))
    return recorder.value(node);
  reportMember(recorder, index, type, recorder.label(node), recorder.moduleOf(node));
  return recorder.inert();
}

function isGiven(recorder: Recorder, node: number): boolean {
  const kind = recorder.nodeOf(node)?.kind;
  return kind === 'read' || kind === 'member' || kind === 'call';
}

export function reportMember(
  recorder: Recorder,
  index: number,
  type: NodeType,
  label: string,
  path: string | undefined,
): void {
  const got = type.kind === 'tuple' ? `a tuple of ${type.members.length}` : 'one tensor';
  const advice = type.kind === 'tuple' ? '' : ` Write .slice(${index}) for its row ${index}.`;
  const message = `${label} is ${got}, so there is no member ${index}.${advice}`;
  const wanted = type.kind === 'tuple' ? `0 to ${type.members.length - 1}` : got;
  recorder.report('not_a_tuple', message, { path, wanted, got: String(index) });
}
