/** What each error code means, for people (PROTOCOL.md, section 5). */
import type { ErrorCode } from './errors.ts';

interface CodeFacts {
  /** What it means. */
  readonly meaning: string;
  /** What a client does about it. */
  readonly advice: string;
  /** Whether the same request may work later. */
  readonly retry?: true;
  /** A client's own, or a starting server's: no message brings it. */
  readonly local?: true;
}

/** Every code, in the order of the page. */
export const ERROR_CODES = {
  bad_frame: { meaning: 'A message is no frame of section 1.1 and 1.2.', advice: 'Mend the encoder.' },
  bad_message: {
    meaning: 'A field is missing, unknown, or of the wrong type.',
    advice: 'Mend the field at `path`.',
  },
  unknown_message: {
    meaning: 'No message has that type.',
    advice: 'Check the type, and what the welcome announced.',
  },
  unexpected_message: {
    meaning: 'The message may not be sent now.',
    advice: 'Send `hello` first, and once.',
  },
  unsupported_version: {
    meaning: 'The server does not speak that protocol version.',
    advice: 'Use another version.',
  },
  message_too_large: { meaning: 'A message is larger than the limit.', advice: 'Send less.' },
  not_offered: {
    meaning: 'A message or field of a capability that was not announced.',
    advice: 'Do without, or ask a server that offers it.',
  },
  run_conflict: { meaning: 'The run id is in use.', advice: 'Choose a new id for each run.' },
  run_lost: {
    meaning: 'The server no longer has the run, or its messages.',
    advice: 'Start it again under a new id.',
  },
  run_moved: {
    meaning: 'Another connection follows the run now.',
    advice: 'See its result there, or follow it again.',
  },
  too_many_runs: {
    meaning: 'The connection has as many runs as it may.',
    advice: 'Wait for one to end.',
    retry: true,
  },
  too_many_requests: {
    meaning: 'The client asks more often than it may.',
    advice: 'Ask more slowly.',
    retry: true,
  },
  queue_full: { meaning: 'Too many runs are waiting.', advice: 'Retry later.', retry: true },

  unknown_model: { meaning: 'The server has no such model.', advice: 'Use one of the welcome’s names.' },
  unknown_blob: { meaning: 'The server does not have the blob.', advice: 'Send it, then the run again.' },
  bad_function: {
    meaning: 'A blob is no function: no ONNX model, or one that may not be called.',
    advice: 'Mend what the message names, or export it again.',
  },
  blob_mismatch: { meaning: 'The bytes do not have the hash that was announced.', advice: 'Send it again.' },
  unknown_module: {
    meaning: 'The model has no module of that path.',
    advice: 'Use the nearest path or list them.',
  },
  unknown_source: {
    meaning: 'The module makes no value of that name.',
    advice: 'Use the nearest name, or list its sources.',
  },
  unknown_parameter: { meaning: 'The model has no such parameter.', advice: 'Use the nearest name.' },
  unknown_operator: {
    meaning: 'The operator is not on the list.',
    advice: 'Use an operator of section 3.3.',
  },
  unknown_attribute: { meaning: 'The operator has no such attribute.', advice: 'Use the nearest attribute.' },
  unknown_option: { meaning: 'There is no such option.', advice: 'Use the nearest option.' },
  bad_attribute: {
    meaning: 'An attribute is missing or of the wrong type.',
    advice: 'Give it the wanted type.',
  },
  bad_reference: {
    meaning: 'A node refers to none, a later one, or one without a value.',
    advice: 'Refer to earlier values.',
  },
  bad_arity: { meaning: 'An operator has too few or too many inputs.', advice: 'Give it the wanted number.' },
  bad_selection: {
    meaning: 'A selection does not fit the value’s axes.',
    advice: 'Keep indices within the dims.',
  },
  wrong_dtype: {
    meaning: 'A value has a dtype that does not fit.',
    advice: 'Use Cast, or a literal of the dtype.',
  },
  wrong_dims: { meaning: 'A value has dims that do not fit.', advice: 'Compare wanted and got.' },
  tuple_value: {
    meaning: 'A tuple stands where a tensor is wanted.',
    advice: 'Pick a member: `[0]` flows on.',
  },
  not_a_tuple: { meaning: 'The value or place has no such member.', advice: 'Keep within its members.' },
  no_hook: { meaning: 'The module has no hook point there.', advice: 'See the reason in the message.' },
  write_order: {
    meaning: 'A later value is written to an earlier place.',
    advice: 'Write it at its place or later.',
  },
  mixed_rows: {
    meaning: 'What is there is not told apart by prompt in a batch.',
    advice: 'Run that prompt alone.',
  },
  cannot_apply: {
    meaning: 'The module can’t be run on a value alone.',
    advice: 'Apply a module of one activation.',
  },
  nothing_saved: { meaning: 'The trace saves and logs nothing.', advice: 'Save what you want to see.' },
  behind_stop: {
    meaning: 'A hook stands behind a stop and will not fire (a warning).',
    advice: 'Nothing, if meant.',
  },
  inside_skip: {
    meaning: 'A hook stands inside a skipped module and can’t fire.',
    advice: 'Nothing, if meant (a warning); else hook the module’s output.',
  },

  empty_input: { meaning: 'The input has no tokens.', advice: 'Give at least one token.' },
  input_too_long: { meaning: 'The input is longer than the model’s context.', advice: 'Shorten it.' },
  token_out_of_range: { meaning: 'A token id is not in the vocabulary.', advice: 'Use ids below its size.' },
  bad_input: {
    meaning: 'The input is of a kind that the model doesn’t take.',
    advice: 'Give what the message names: text, token ids, or feeds.',
  },
  unknown_feed: { meaning: 'The model takes no feed of that name.', advice: 'Use the nearest name.' },
  missing_feed: { meaning: 'A feed that the model wants is not given.', advice: 'Give it.' },

  not_reached: { meaning: 'The pass stopped before the place.', advice: 'Stop later.' },
  unset: { meaning: 'The node never ran, for a reason that is not the stop.', advice: 'See the cause.' },
  failed: { meaning: 'An operation that the value needs failed.', advice: 'See the cause.' },
  too_large: {
    meaning: 'The value is past the limit of saved bytes.',
    advice: 'Reduce on the server: slice, mean, topK.',
  },
  cancelled: { meaning: 'The run was cancelled.', advice: 'Nothing.' },
  deadline_exceeded: {
    meaning: 'The run did not end within its deadline.',
    advice: 'Give it more time, or ask for less.',
  },
  operation_failed: { meaning: 'The runtime refused or failed an operation.', advice: 'See the message.' },
  too_much_memory: { meaning: 'The run needs more memory than it may.', advice: 'Save or build less.' },
  host_lost: {
    meaning: 'The process that held the model ended during the run.',
    advice: 'Retry.',
    retry: true,
  },
  shutting_down: { meaning: 'The server is going away.', advice: 'Retry later.', retry: true },
  internal: { meaning: 'A fault in the server.', advice: 'Report it.' },

  unreachable: {
    meaning: 'No server answers at the address.',
    advice: 'Start it, or check the URL.',
    retry: true,
    local: true,
  },
  connection_lost: {
    meaning: 'The connection ended during a request.',
    advice: 'Retry.',
    retry: true,
    local: true,
  },
  protocol_violation: {
    meaning: 'The server broke the protocol.',
    advice: 'Report it to the server’s makers.',
    local: true,
  },
  refused_upgrade: { meaning: 'The server refused the WebSocket.', advice: 'See the message.', local: true },
  unauthorized: {
    meaning: 'The server wants a key, or another one.',
    advice: 'Give `key`, or set TRACEWIRE_KEY.',
    local: true,
  },
  not_installed: {
    meaning: 'A package for `remote: false`, or a file of the client, is missing.',
    advice: 'Install or publish it.',
    local: true,
  },
  misuse: {
    meaning: 'A placeholder was used as if it had a value.',
    advice: 'See the message.',
    local: true,
  },
  closed: { meaning: 'The client was closed.', advice: 'Open a new one.', local: true },

  model_not_found: {
    meaning: 'A model folder or one of its files is missing.',
    advice: 'Check the path.',
    local: true,
  },
  model_invalid: { meaning: 'A model file can’t be read.', advice: 'Export or copy it again.', local: true },
  model_unsupported: {
    meaning: 'The model uses something the server can’t do.',
    advice: 'See the message.',
    local: true,
  },
  address_in_use: {
    meaning: 'Another program listens on the port.',
    advice: 'Choose another with --port.',
    local: true,
  },
  bad_configuration: { meaning: 'Options that don’t go together.', advice: 'See the message.', local: true },
} as const satisfies Readonly<Record<ErrorCode, CodeFacts>>;

/** Whether the same request may work later, by itself. */
export function isRetryable(code: ErrorCode): boolean {
  return factsOf(code)?.retry === true;
}

/** Whether a message may bring the code: it is in the table, and not a peer's own. */
export function crossesTheWire(code: string): boolean {
  const facts = factsOf(code);
  return facts !== undefined && facts.local !== true;
}

function factsOf(code: string): CodeFacts | undefined {
  return Object.hasOwn(ERROR_CODES, code) ? ERROR_CODES[code as ErrorCode] : undefined;
}
