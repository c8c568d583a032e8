/**
 * `@tracewire/protocol/core`: tensors, errors and what is said of steps: what a client has in its users' hands before it connects.
 * No messages and no schemas, for a page loads this first (docs/decisions/0061-the-connection-comes-on-first-use.md).
 */
export * from './errors.ts';
export * from './float16.ts';
export * from './nearest.ts';
export * from './never-came.ts';
export * from './steps.ts';
export * from './tensor.ts';
