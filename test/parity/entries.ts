/** What `test/reference/make_matrix.py` made: one entry a model, or why the exporter could not make it. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

export interface Entry {
  readonly architecture: string;
  /** Names the folder beside the architecture's reference. */
  readonly variant: string;
  readonly exporter: string;
  readonly cache: boolean;
  readonly precision: string;
  /** Where the usual one of the precision doesn't do. */
  readonly tolerance?: number;
  /** Why there is no model. */
  readonly failed?: string;
}

export function readEntries(folder: string, only: readonly string[]): Entry[] {
  const index = path.join(folder, 'matrix.json');
  if (!existsSync(index)) {
    throw new Error(
      `${folder} has no matrix.json. Make the models: python test/reference/make_matrix.py --out ${folder}`,
    );
  }
  const entries = JSON.parse(readFileSync(index, 'utf8')) as Entry[];
  const name = ({ architecture, variant }: Entry): string => `${architecture}/${variant}`;
  return entries.filter((entry) => only.length === 0 || only.some((part) => name(entry).includes(part)));
}

/** How far a value may lie from the float32 original, as a share of its RMS. */
export function toleranceOf({ precision, tolerance }: Entry): number {
  return tolerance ?? TOLERANCES[precision] ?? 1e-4;
}

/**
 * How far the engine's values may lie from those of the unsplit file. They are the same operators on the same numbers,
 * fused otherwise: in float16 a fused one rounds once where its parts each round, and a quantize-dequantize pair that a cut
 * parts is not fused into an int8 kernel, which is a step of quantization here and there.
 */
export function cutToleranceOf(entry: Entry): number {
  if (isStepwise(entry)) return 0.25;
  return entry.precision === 'float16' ? 1e-2 : 1e-3;
}

/** Whether numbers change by steps of quantization where the graph is cut, so that small changes can't be seen. */
export function isStepwise({ variant }: Entry): boolean {
  return variant.endsWith('-int8-qdq');
}

const TOLERANCES: Readonly<Record<string, number>> = {
  float32: 1e-4,
  float16: 5e-2,
  int8: 1,
  int4: 2,
};
