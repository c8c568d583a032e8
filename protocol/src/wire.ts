/**
 * `@tracewire/protocol/wire`: what a connection needs, and nothing of what a trace is checked by. A page loads it apart
 * (client/src/connecting.ts); a bundler that splits goes by files, so all of the package in one would come along.
 */
export * from './codec.ts';
export * from './core.ts';
export * from './description.ts';
export * from './error-body.ts';
export { type Explanation, explanation, type SegmentEnd } from './explanation.ts';
export { type BlobRef, type TensorRef, type ValueRef, valueRef } from './fields.ts';
export * from './frame.ts';
export * from './generate.ts';
export * from './graph.ts';
export * from './graph-tensors.ts';
export * from './messages.ts';
export * from './outcomes.ts';
export * from './payload.ts';
export * from './steps-of-nodes.ts';
export * from './transport.ts';
export * from './version.ts';
