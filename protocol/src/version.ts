/** The WebSocket subprotocol both sides ask for (PROTOCOL.md, section 1). */
export const SUBPROTOCOL = 'tracewire.v1';

/** The protocol's number in `hello` and `welcome`. */
export const PROTOCOL_VERSION = 1;

/** All that a peer may announce beyond the core (PROTOCOL.md, sections 2.4 and 6), in the order of the page. */
export const CAPABILITIES: readonly string[] = [
  'resume',
  'moves',
  'detach',
  'invokes',
  'batching',
  'generation',
  'batch_generation',
  'sessions',
  'blobs',
  'functions',
  'explain',
];

/** The ONNX operator set that operators in a graph are defined by. */
export const OPSET = 21;

/** Most payload bytes in one message from a server. */
export const CHUNK_BYTES = 1024 * 1024;
