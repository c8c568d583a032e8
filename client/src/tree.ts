/** A model's modules as a tree: what stands under a path, for property access and for "did you mean". */
import { type ModelIndex, nearest } from '@tracewire/protocol';

export class ModelTree {
  readonly index: ModelIndex;
  /** The names directly under a path, of modules and parameters. */
  readonly #children = new Map<string, Set<string>>();

  constructor(index: ModelIndex) {
    this.index = index;
    for (const path of [...index.modules.keys(), ...index.parameters.keys()]) this.#insert(path);
  }

  /** What a path names; a list of blocks counts as a module, though it has no hook points. */
  kindOf(path: string): 'module' | 'parameter' | undefined {
    if (path === '' || this.index.modules.has(path) || this.index.isContainer(path)) return 'module';
    return this.index.parameters.has(path) ? 'parameter' : undefined;
  }

  /** How many numbered modules stand directly under a path, such as blocks in a list. */
  lengthOf(path: string): number {
    let length = 0;
    while (this.#children.get(path)?.has(String(length))) length += 1;
    return length;
  }

  /** The nearest name under `path`, or anywhere in the model, as a whole path. */
  nearest(path: string, segment: string, alsoHere: readonly string[]): string | undefined {
    const near = nearest(segment, [...(this.#children.get(path) ?? []), ...alsoHere]);
    return near === undefined ? this.index.nearestModule(join(path, segment)) : join(path, near);
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
