/** Knows module proxies from other functions, without putting a name on them that a module could have. */

interface ModuleFacts {
  /** Undefined for a module that doesn't exist, which has been reported. */
  readonly path: string | undefined;
}

const modules = new WeakMap<object, ModuleFacts>();

export function registerModule(proxy: object, path: string | undefined): void {
  modules.set(proxy, { path });
}

export function moduleFacts(value: unknown): ModuleFacts | undefined {
  return typeof value === 'function' ? modules.get(value) : undefined;
}
