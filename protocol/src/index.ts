/** `@tracewire/protocol`: all that both sides agree on. */
export { type AttentionProbabilities, attentionProbabilities } from './attention.ts';
export * from './canonical.ts';
export * from './check.ts';
export { batchFault } from './check-invokes.ts';
export { findSkipped, isInside } from './check-skips.ts';
export * from './check-traces.ts';
export * from './error-table.ts';
export { type FunctionBody, outlineOf } from './functions/function-body.ts';
export { type FunctionLimits, type ReadFunction, readFunction } from './functions/read-function.ts';
export * from './model-index.ts';
export { knownBytes, type NodeType, type TensorType } from './node-type.ts';
export * from './operators.ts';
export { describeOutputs, printTree, type TreeOptions } from './print-tree.ts';
export { selectionFaults } from './selection-faults.ts';
export { sha256Hex } from './sha256.ts';
export { type Sizes, sizedDim, sizedDims, sizesOfPass } from './shapes/sized.ts';
export * from './wire.ts';
