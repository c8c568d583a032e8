/** A model's parameters under the checkpoint's names, wherever the exporter put them. */

import type { Dtype } from '@tracewire/protocol';
import { transposedFrom } from './intake/transposes.ts';
import type { ModelGraph } from './onnx/graph.ts';
import { dimsOf, dtypeOf } from './onnx/tensors.ts';

export interface Parameter {
  readonly name: string;
  readonly initializer: string;
  readonly dtype: Dtype;
  /** In the checkpoint, so reversed where `transposed`. */
  readonly dims: readonly number[];
  /** Whether the exporter stored the transpose, as it does for `Linear` weights it folds into MatMul. */
  readonly transposed: boolean;
}

/** All parameters that the graph uses, in the order of use. `scopes` gives each node's modules. */
export function findParameters(
  graph: ModelGraph,
  modules: Iterable<string>,
  scopes: readonly (readonly string[])[],
): Map<string, Parameter> {
  const paths = new Set(modules);
  const found = new Map<string, Parameter>();
  for (const [index, node] of graph.nodes.entries()) {
    const module = scopes[index]?.at(-1) ?? '';
    for (const [position, initializer] of node.input.entries()) {
      const name =
        nameOf(transposedFrom(initializer) ?? initializer, paths) ??
        foldedName(initializer, node.op_type, position, module);
      if (name === undefined || found.has(name)) continue;
      const parameter = describe(graph, name, initializer, name !== initializer);
      if (parameter) found.set(name, parameter);
    }
  }
  return found;
}

/** An initializer that kept its checkpoint name: its owner is a module, `transformer.wte` of `transformer.wte.weight`. */
function nameOf(initializer: string, modules: ReadonlySet<string>): string | undefined {
  const owner = initializer.slice(0, Math.max(0, initializer.lastIndexOf('.')));
  return owner !== '' && modules.has(owner) ? initializer : undefined;
}

/** The exporter renames a `Linear` weight when it stores its transpose: `onnx::MatMul_3155`, `val_12`. */
function foldedName(
  initializer: string,
  opType: string,
  position: number,
  module: string,
): string | undefined {
  const renamed = /^(onnx::MatMul_|val_)\d+$/.test(initializer);
  return renamed && opType === 'MatMul' && position === 1 && module !== '' ? `${module}.weight` : undefined;
}

function describe(
  graph: ModelGraph,
  name: string,
  initializer: string,
  transposed: boolean,
): Parameter | undefined {
  const tensor = graph.initializers.get(initializer);
  const dtype = tensor && dtypeOf(tensor.data_type);
  if (!tensor || !dtype) return undefined;
  const stored = dimsOf(tensor);
  if (transposed && stored.length !== 2) return undefined;
  return { name, initializer, dtype, dims: transposed ? stored.toReversed() : stored, transposed };
}
