/** What a trace's function returned, looked through for placeholders: they have no value once the trace is written. */
import { moduleFacts } from './module-registry.ts';
import { ModuleSource } from './module-source.ts';
import { Operand } from './operand.ts';
import { isUncalledSave } from './placeholder.ts';

/** As deep, and as many members, as are looked at: results are small, and foreign objects may be large. */
const DEPTH = 6;
const MEMBERS = 10_000;

/** A sentence for each placeholder, module or source that would leave the trace. */
export function whatLeaves(result: unknown): string[] {
  const found: string[] = [];
  const seen = new Set<object>();
  const visit = (value: unknown, name: string, depth: number): void => {
    const what = faultOf(value);
    if (what !== undefined) {
      found.push(`${name === '' ? 'The returned value' : `The returned ${name}`} is ${what}`);
    } else if (typeof value === 'object' && value !== null && depth < DEPTH && !seen.has(value)) {
      seen.add(value);
      if (seen.size > MEMBERS) return;
      for (const [key, member] of membersOf(value))
        visit(member, name === '' ? key : `${name}.${key}`, depth + 1);
    }
  };
  visit(result, '', 0);
  return found;
}

function faultOf(value: unknown): string | undefined {
  if (value instanceof Operand)
    return 'a placeholder, which has no value after the trace. Return what .save() gives.';
  if (moduleFacts(value)) return 'a module, which is no value. Return what .output.save() gives.';
  if (isUncalledSave(value)) return 'the method save itself, not called. Write .save().';
  if (value instanceof ModuleSource) return 'a list of places. Return what .save() of one of them gives.';
  return undefined;
}

/** Of data that users put handles into; getters of their own classes are not called. */
function membersOf(value: object): Iterable<readonly [string, unknown]> {
  if (Array.isArray(value)) return value.slice(0, MEMBERS).map((member, index) => [String(index), member]);
  if (value instanceof Map) return [...value].map(([key, member]) => [String(key), member]);
  if (value instanceof Set) return [...value].map((member, index) => [String(index), member]);
  if (ArrayBuffer.isView(value)) return [];
  return Object.entries(Object.getOwnPropertyDescriptors(value)).flatMap(([key, { value: member }]) =>
    member === undefined ? [] : [[key, member] as const],
  );
}
