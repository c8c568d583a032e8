/** What a run would do, without doing it (PROTOCOL.md, section 6.7). */
import * as z from 'zod/mini';
import { accessError, errorBody } from './error-body.ts';
import type { ErrorBody } from './errors.ts';
import { name, path, uint } from './fields.ts';

/** Why a segment ends where it does: a block does, a write or skip cuts it, the pass stops, or the model is over. */
export type SegmentEnd = 'block' | 'write' | 'stop' | 'end';

/** How a run of one pass would go. */
export interface Explanation {
  /** Of all prompts, padding not counted. */
  readonly tokens: number;
  /** As the report of the run would say it. */
  readonly modulesRun: number;
  readonly modulesTotal: number;
  readonly segmentsRun: number;
  readonly segmentsTotal: number;
  readonly stoppedAfter?: string | undefined;
  /** Those that would run, in order; `modules` end in one, the last of them at `last`. */
  readonly segments: readonly {
    readonly modules: number;
    readonly last?: string | undefined;
    readonly end: SegmentEnd;
    /** With the end `write`: the module that is written or skipped there. */
    readonly at?: string | undefined;
    /** Behind the last block only so many positions of each prompt are computed, for nothing looks at the others. */
    readonly positions?: number | undefined;
  }[];
  /** Modules that the pass comes to and doesn't run, for nothing needs them; modules inside them left out. */
  readonly idle: readonly string[];
  /** Each `save` node: the bytes of its value where they can be told, or why it would have none. */
  readonly saves: readonly {
    readonly save: number;
    readonly bytes?: number | undefined;
    readonly error?: ErrorBody | undefined;
  }[];
  /** As the status `received` has them. */
  readonly warnings: readonly ErrorBody[];
}

export const explanation: z.ZodMiniType<Explanation> = z.strictObject({
  tokens: uint,
  modulesRun: uint,
  modulesTotal: uint,
  segmentsRun: uint,
  segmentsTotal: uint,
  stoppedAfter: z.optional(name),
  segments: z.array(
    z.strictObject({
      modules: uint,
      last: z.optional(path),
      end: z.enum(['block', 'write', 'stop', 'end']),
      at: z.optional(path),
      positions: z.optional(uint),
    }),
  ),
  idle: z.array(path),
  saves: z.array(z.strictObject({ save: uint, bytes: z.optional(uint), error: z.optional(accessError) })),
  warnings: z.array(errorBody).check(z.maxLength(100)),
});
