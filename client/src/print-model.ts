/** What `model.print` writes to the console. */
import { type ModelIndex, printTree, TracewireError, type TreeOptions } from '@tracewire/protocol';

/** Gives the text. Throws `unknown_module`. */
export function printModel(index: ModelIndex, options: TreeOptions): string {
  const { sources = false, module = '', color = hasColor() } = options;
  if (!index.modules.has(module) && !index.isContainer(module)) throw unknownModule(index, module);
  const text = printTree(index.description, { sources, module, color });
  console.log(text);
  return text;
}

function unknownModule(index: ModelIndex, path: string): Error {
  const near = index.nearestModule(path);
  const { message, nearest } = index.noModule(path, near);
  return new TracewireError({ code: 'unknown_module', message, path, nearest });
}

/** Whether the console takes terminal escapes; a browser's doesn't. */
function hasColor(): boolean {
  const { process } = globalThis as {
    process?: { stdout?: { isTTY?: boolean }; env?: Record<string, string> };
  };
  return process?.stdout?.isTTY === true && !process.env?.['NO_COLOR'];
}
