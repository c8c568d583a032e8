/**
 * What the engine wants of a runtime, and no more: make a segment, run it, release it, say what it can do.
 * Another binding, or another runtime altogether, takes ONNX Runtime's place by implementing this.
 */
import type { Dtype, TensorLike } from '@tracewire/protocol';

export interface RuntimeOptions {
  readonly provider: 'cpu' | 'cuda';
  /** Threads one operator may use; 0 lets the runtime choose. */
  readonly threads: number;
  /** Where the external files of models lie. */
  readonly weightsFolder: string;
}

export interface RuntimeFacts {
  readonly name: string;
  readonly version: string;
  readonly provider: 'cpu' | 'cuda';
  /** Whether a run under way can be interrupted; if not, cancelling acts between segments. */
  readonly interruptible: boolean;
}

/** A part of a model, or a small graph of operations, ready to run. */
export interface Segment {
  /** Runs on feeds by name; gives the fetched outputs. A refused feed or a failing operator rejects. */
  run(
    feeds: ReadonlyMap<string, TensorLike>,
    fetches: readonly string[],
  ): Promise<ReadonlyMap<string, TensorLike>>;
  /** Frees its memory; running it after is an error. */
  release(): Promise<void>;
}

export interface Runtime {
  readonly facts: RuntimeFacts;
  /**
   * Makes a segment from the bytes of an ONNX model. `optimize: false` keeps every operator as it stands.
   * Rejects with the runtime's own words for a model it can't take.
   */
  createSegment(model: Uint8Array, options?: { readonly optimize?: boolean }): Promise<Segment>;
  /**
   * Writes the model's external weights into `folder/name` once more, with the forms that kernels pack them into, and gives
   * the bytes of a model that refers to that file. Segments whose weights refer to it so map the packed forms.
   * Absent where the runtime has no such file.
   */
  packWeights?(model: Uint8Array, folder: string, name: string): Promise<Uint8Array>;
}

/** A tensor type in a model that the engine builds: named axes are symbolic, `?` is unknown. */
export interface ValueType {
  readonly dtype: Dtype;
  readonly dims: readonly (number | string)[];
  /** A prompt's part of it in a batch is not what the prompt alone gives. */
  readonly mixed?: true;
}
