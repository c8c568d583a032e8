/** A model's modules as a tree: what stands under a path, for property access and for "did you mean". */
import { type ModelIndex, nearest } from '@tracewire/protocol';
import type { Fragment } from './edit-fragment.ts';

export class ModelTree {
  readonly index: ModelIndex;
  /** What the model's edits do in every trace. */
  readonly edits: readonly Fragment[];
  /** The names directly under a path, of modules and parameters. */
  readonly #children: Map<string, Set<string>>;

  /** `like`: a tree of the same index, whose names are taken over. */
  constructor(index: ModelIndex, edits: readonly Fragment[] = [], like?: ModelTree) {
    this.index = index;
    this.edits = edits;
    this.#children = like ? like.#children : new Map<string, Set<string>>();
    if (like) return;
    for (const path of [...index.modules.keys(), ...index.parameters.keys()]) this.#insert(path);
  }

  /** The same tree with these edits. */
  edited(edits: readonly Fragment[]): ModelTree {
    return new ModelTree(this.index, edits, this);
  }

  /** What a path names; a list of blocks counts as a module, though it has no hook points. */
  kindOf(path: string): 'module' | 'parameter' | undefined {
    if (path === '' || this.index.modules.has(path) || this.index.isContainer(path)) return 'module';
    return this.index.parameters.has(path) ? 'parameter' : undefined;
  }

  /** The names directly under a path. */
  childrenOf(path: string): readonly string[] {
    return [...(this.#children.get(path) ?? [])];
  }

  /** How many numbered modules stand directly under a path, such as blocks in a list. */
  lengthOf(path: string): number {
    let length = 0;
    while (this.#children.get(path)?.has(String(length))) length += 1;
    return length;
  }

  /** The nearest name under `path`, or anywhere in the model, as a whole path. */
  nearest(path: string, segment: string, alsoHere: readonly string[]): string | undefined {
    const full = join(path, segment);
    const dot = full.lastIndexOf('.');
    // Of a path whose last name alone is wrong, the nearest stands beside it.
    if (segment.includes('.')) {
      const parent = full.slice(0, dot);
      return this.kindOf(parent) === 'module'
        ? this.nearest(parent, full.slice(dot + 1), alsoHere)
        : this.index.nearestModule(full);
    }
    const near = nearest(segment, [...(this.#children.get(path) ?? []), ...alsoHere]);
    return near === undefined ? this.index.nearestModule(full) : join(path, near);
  }

  #insert(path: string): void {
    const segments = path.split('.');
    for (const [depth, segment] of segments.entries()) {
      const parent = segments.slice(0, depth).join('.');
      const siblings = this.#children.get(parent) ?? new Set();
      this.#children.set(parent, siblings.add(segment));
    }
  }
}

export function join(path: string, segment: string): string {
  return path === '' ? segment : `${path}.${segment}`;
}
