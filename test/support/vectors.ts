/** Reads the files in test/conformance/vectors, whose README says what is in them. */
import { readdirSync, readFileSync } from 'node:fs';

const FOLDER = new URL('../conformance/vectors/', import.meta.url);

/** Bytes in hex; in a list, also a part that repeats. */
export type Hex = string | readonly (string | { readonly hex: string; readonly times: number })[];

/** An element of a tensor: a 64-bit integer in digits, or a word for a float that JSON can't say. */
export type Element = number | string;

export interface ListedTensor {
  readonly path: string;
  readonly dtype: string;
  readonly dims: readonly number[];
  readonly values: readonly Element[];
}

interface Case {
  readonly id: string;
  readonly about?: string;
  readonly direction: 'client' | 'server';
}

export interface Golden extends Case {
  readonly message: unknown;
  readonly tensors?: readonly ListedTensor[];
  readonly canonical: boolean;
  readonly hex: Hex;
}

export interface ErrorCase extends Golden {
  readonly code: string;
  readonly retry: boolean;
  readonly crossesWire: boolean;
}

export interface Rejection extends Case {
  readonly rule: string;
  readonly code: string;
  readonly path?: string;
  readonly hex: Hex;
}

export interface Sequence extends Case {
  readonly chunkBytes: number;
  readonly value: unknown;
  readonly bytes: number;
  readonly tensors: readonly ListedTensor[];
  readonly hex: readonly Hex[];
}

/** A file of the folder. The caller names the type, which the tests then check by using every field of it. */
export function readVectors<T extends Case>(file: string): { readonly version: string; readonly cases: T[] } {
  return JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8'));
}

/** Paths of the JSON files in a subfolder. */
export function vectorFiles(folder: 'golden' | 'rejections'): string[] {
  return readdirSync(new URL(folder, FOLDER)).map((name) => `${folder}/${name}`);
}

export function bytesOfHex(hex: Hex): Uint8Array {
  const parts = typeof hex === 'string' ? [hex] : hex;
  return Uint8Array.from(
    Buffer.concat(
      parts.map((part) => {
        if (typeof part === 'string') return Buffer.from(part, 'hex');
        const unit = Buffer.from(part.hex, 'hex');
        return Buffer.alloc(unit.length * part.times, unit);
      }),
    ),
  );
}

/** A message with its long strings and lists written out. */
export function expand(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(expand);
  if (typeof value !== 'object' || value === null) return value;
  const fields = value as Readonly<Record<string, unknown>>;
  const times = Number(fields['times']);
  if (typeof fields['$text'] === 'string') return fields['$text'].repeat(times);
  if ('$list' in fields) return new Array(times).fill(expand(fields['$list']));
  return Object.fromEntries(Object.entries(fields).map(([key, field]) => [key, expand(field)]));
}
