/**
 * Guards what stands for a value: a placeholder has none while the trace is written, so using it as one, in a
 * template, in arithmetic, in `if (h > 1)`, as JSON, is an error that says what to write instead. It is never a
 * thenable, so that it can be returned from an async function or awaited by accident without harm.
 */
import { nearest } from '@tracewire/protocol';
import { localError } from './errors.ts';
import { otherName } from './other-names.ts';

/** What the guard needs of its target; `at` answers `placeholder[0]`. */
interface Guarded {
  at(index: number): unknown;
}

/** How many members iteration hands out of what stands for an error, where nobody knows the right number. */
export const ANY_MEMBERS = 8;

/** The target with its methods, guarded. */
export function guard<T extends Guarded>(target: T): T {
  return new Proxy(target, HANDLER) as T;
}

const HANDLER: ProxyHandler<Guarded> = {
  get: (target, key) => (typeof key === 'symbol' ? symbolMember(target, key) : namedMember(target, key)),
  set(_, key) {
    throw localError('misuse', assignmentAdvice(String(key)));
  },
  /** `{ ...h }`, `for (const key in h)`, `Object.keys(h)`. */
  ownKeys() {
    throw localError(
      'misuse',
      `${NO_VALUE} So it can’t be spread or gone through key by key. Name its members: h[0], h[1]; or .save() it and use .value.`,
    );
  },
};

function symbolMember(target: Guarded, key: symbol): unknown {
  if (key === Symbol.toPrimitive) return refuseCoercion;
  return bound(target, key);
}

function namedMember(target: Guarded, key: string): unknown {
  if (key === 'then') return undefined;
  if (/^\d+$/.test(key)) return target.at(Number(key));
  if (/^-\d+$/.test(key)) throw localError('misuse', `JavaScript has no negative index: write .at(${key}).`);
  if (Object.hasOwn(COERCIONS, key)) return COERCIONS[key];
  if (key in target) return bound(target, key);
  throw unknownMember(target, key);
}

/** Methods run on the target itself, where private fields are. */
function bound(target: Guarded, key: PropertyKey): unknown {
  const member: unknown = Reflect.get(target, key, target);
  if (typeof member !== 'function' || key === 'constructor') return member;
  const method: unknown = member.bind(target);
  if (key === 'save') SAVES.add(method as object);
  return method;
}

/** `.save` of a placeholder, for whoever forgets to call it. */
const SAVES = new WeakSet<object>();

export function isUncalledSave(value: unknown): boolean {
  return typeof value === 'function' && SAVES.has(value);
}

const NO_VALUE = 'A placeholder has no value while the trace is written.';

/** Called for `` `${h}` `` (string), `+h` and `h > 1` (number), `h + 1` and `h == 1` (default). */
export function refuseCoercion(hint: string): never {
  const advice =
    hint === 'string'
      ? 'To print it when the trace runs, write .log("text"); to have it afterwards, .save() and read .value; as an index, m.op("Gather", [values, index]).'
      : 'Write .add(…), .sub(…), .mul(…), .div(…) for arithmetic, .max(), .abs(), .exp() instead of Math’s functions, and .gt(…), .lt(…), .eq(…) to compare; instead of if, choose between values with where(condition, a, b).';
  throw localError('misuse', `${NO_VALUE} ${advice}`);
}

const asText = (): never => refuseCoercion('string');
const COERCIONS: Readonly<Record<string, () => never>> = {
  toString: asText,
  toLocaleString: asText,
  toJSON: asText,
  valueOf: () => refuseCoercion('default'),
};

export function refuseIteration(): never {
  throw localError(
    'misuse',
    `${NO_VALUE} This one is a tensor, and can’t be iterated. Write .slice(0), .slice(1), … for its rows.`,
  );
}

function assignmentAdvice(key: string): string {
  const place = /^\d+$/.test(key) ? `[${key}]` : '';
  return `Assigning changes nothing in a trace. Write .output${place}.set(value), or .output${place}.slice(…).set(value).`;
}

function unknownMember(target: object, key: string): Error {
  const other = otherName(key);
  if (other !== undefined)
    return localError('misuse', `A traced value has no ${JSON.stringify(key)}. ${other}`);
  const near = nearest(key, methodsOf(target));
  const hint = near ? `Did you mean ${near}?` : 'm.op("Name", [inputs]) gives any operator of the protocol.';
  return localError('misuse', `A traced value has no ${JSON.stringify(key)}. ${hint}`, { nearest: near });
}

function methodsOf(target: object): string[] {
  const names: string[] = [];
  for (let level = target; level !== Object.prototype; level = Object.getPrototypeOf(level) as object) {
    names.push(...Object.getOwnPropertyNames(level));
  }
  return names.filter((name) => name !== 'constructor' && name !== 'operator');
}
