/** On which side the prompts of a generation are padded: asked of the model once, when several of different lengths come first. */
import { TracewireError } from '@tracewire/protocol';
import type { Padded } from './feeds.ts';
import { findPadding, rowsFault } from './generation-rows.ts';
import type { Model } from './model.ts';
import type { SegmentCache } from './segment-cache.ts';

export class BatchPadding {
  readonly #model: Model;
  readonly #segments: SegmentCache;
  #padded: Promise<Padded | undefined> | undefined;

  constructor(model: Model, segments: SegmentCache) {
    this.#model = model;
    this.#segments = segments;
  }

  /** Throws `not_offered` for several prompts where the model can't go on with a batch of them. */
  async for(lengths: readonly number[]): Promise<Padded> {
    if (lengths.length === 1) return 'left';
    const fault = rowsFault(this.#model);
    if (fault !== undefined) throw this.#oneByOne(lengths.length, fault);
    if (new Set(lengths).size === 1) return 'left';
    this.#padded ??= findPadding(this.#model, this.#segments).catch((thrown) => {
      this.#padded = undefined;
      throw thrown;
    });
    const padded = await this.#padded;
    if (padded !== undefined) return padded;
    throw this.#oneByOne(
      lengths.length,
      'padded to one length, they would get other tokens than each gets alone',
    );
  }

  #oneByOne(count: number, why: string): TracewireError {
    const message = `${this.#model.description.name} can’t generate from ${count} prompts in one batch: ${why}. Run them one after the other.`;
    const facts = { path: 'graph.invokes', wanted: '1', got: String(count) };
    return new TracewireError({ code: 'not_offered', message, ...facts });
  }
}
