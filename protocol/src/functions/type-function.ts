/** A function by itself: whether its nodes go together, and what follows for its outputs. */
import { GraphChecker } from '../check.ts';
import type { PortDescription } from '../description.ts';
import type { ErrorBody } from '../errors.ts';
import { ModelIndex } from '../model-index.ts';
import { type TensorType, tensor } from '../node-type.ts';
import { ANY } from '../shapes/dim.ts';
import type { FunctionBody } from './function-body.ts';
import { typeBody } from './type-body.ts';

/** A function belongs to no model; what a runtime lacks is checked at each call. */
const NO_MODEL = new ModelIndex({
  name: 'the function',
  id: '',
  architecture: '',
  exporter: 'other',
  opset: 0,
  blocks: [],
  modules: [],
  parameters: [],
});

/** The function with the types of its outputs that follow from its inputs', or what is wrong. */
export function typeFunction(body: FunctionBody): FunctionBody | { readonly errors: readonly ErrorBody[] } {
  const checker = new GraphChecker(NO_MODEL, { constant: (value) => body.constants.get(value) });
  const { types, errors } = typeBody(body, body.inputs.map(typeOfPort), checker);
  if (errors.length > 0) return { errors };
  const outputs = body.outputs.map((port, index): PortDescription => {
    const type = types[body.results[index] ?? -1];
    if (type?.kind !== 'tensor') return port;
    const dims = type.dims?.map((dim, axis) => (dim === ANY ? (port.dims[axis] ?? ANY) : dim));
    return { name: port.name, dtype: type.dtype, dims: dims ?? port.dims };
  });
  return { ...body, outputs };
}

function typeOfPort({ dtype, dims }: PortDescription): TensorType {
  // No dims is a scalar, or a rank that the exporter did not write down.
  return dims.length === 0 ? tensor(dtype) : tensor(dtype, { dims });
}
