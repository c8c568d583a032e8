/** What an experiment changes: one position of a block, or one head's attention. */
export type Target =
  | { readonly kind: 'place'; readonly block: number; readonly position: number }
  | {
      readonly kind: 'connection';
      readonly block: number;
      readonly head: number;
      /** Absent: the head is silenced as a whole. */
      readonly from?: number;
      readonly to?: number;
    };

export type Action = 'ablate' | 'patch' | 'steer';
export type Part = 'block' | 'attention' | 'mlp';

/** What the form holds. */
export interface Wish {
  readonly action: Action;
  readonly part: Part;
  readonly donor: string;
  /** Undefined: the position that matches, counted from the end. */
  readonly donorPosition: number | undefined;
  readonly toward: string;
  readonly away: string;
  readonly strength: number;
}

export const FIRST_WISH: Wish = {
  action: 'ablate',
  part: 'block',
  donor: 'The Colosseum is in the city of',
  donorPosition: undefined,
  toward: 'I would love to see Rome',
  away: 'I would love to see Paris',
  strength: 2,
};
