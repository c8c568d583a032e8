/**
 * The part of the client that speaks with an engine: the connection, messages and their schemas, runs and values as they arrive.
 * `later.ts` loads it, by import(), when something is first asked of an engine, and nothing of the core imports it otherwise: so a
 * bundler leaves it out of what a page loads first.
 */
export { openWebSocket } from '#websocket';
export { Conversation } from './conversation.ts';
