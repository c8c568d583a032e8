/** When a hook acts: places in their total order first, at one place the invokes in theirs (PROTOCOL.md, section 6.1). */
export interface HookTime {
  /** The place's number in the total order. */
  readonly rank: number;
  readonly invoke: number;
}

/** Before all hooks. */
export const NEVER: HookTime = { rank: -1, invoke: 0 };

export function isLater(a: HookTime, b: HookTime): boolean {
  return a.rank > b.rank || (a.rank === b.rank && a.invoke > b.invoke);
}

export function laterOf(a: HookTime, b: HookTime): HookTime {
  return isLater(b, a) ? b : a;
}
