/** When a hook acts: by step first, then places in their total order, at one place the invokes in theirs (PROTOCOL.md, 6). */
export interface HookTime {
  /** The pass of a generation; of several the first, for there is no later one in which more is still to come. */
  readonly step: number;
  /** The place's number in the total order. */
  readonly rank: number;
  readonly invoke: number;
}

/** Before all hooks. */
export const NEVER: HookTime = { step: -1, rank: -1, invoke: 0 };

export function isLater(a: HookTime, b: HookTime): boolean {
  if (a.step !== b.step) return a.step > b.step;
  return a.rank > b.rank || (a.rank === b.rank && a.invoke > b.invoke);
}

export function laterOf(a: HookTime, b: HookTime): HookTime {
  return isLater(b, a) ? b : a;
}
