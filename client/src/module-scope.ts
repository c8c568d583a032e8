/** What a module's places are about, beside the module: which prompt, and which steps of a generation. */
import type { Place, Steps } from '@tracewire/protocol';

export interface ModuleScope {
  readonly invoke: number;
  /** Undefined is the first. */
  readonly steps?: Steps | undefined;
}

/** As fields of a place. */
export function scopeOf({ invoke, steps }: ModuleScope): Pick<Place, 'invoke' | 'steps'> {
  return { ...(invoke > 0 ? { invoke } : {}), ...(steps === undefined ? {} : { steps }) };
}
