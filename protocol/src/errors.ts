/** The closed list of error codes (PROTOCOL.md, section 5) and the one shape all errors have. */

/** All there are; what each means is in error-table.ts, which a page need not load. */
export const CODES = [
  'bad_frame',
  'bad_message',
  'unknown_message',
  'unexpected_message',
  'unsupported_version',
  'message_too_large',
  'not_offered',
  'run_conflict',
  'run_lost',
  'run_moved',
  'too_many_runs',
  'too_many_requests',
  'queue_full',
  'unknown_model',
  'unknown_blob',
  'bad_function',
  'blob_mismatch',
  'unknown_module',
  'unknown_source',
  'unknown_parameter',
  'unknown_operator',
  'unknown_attribute',
  'unknown_option',
  'bad_attribute',
  'bad_reference',
  'bad_arity',
  'bad_selection',
  'wrong_dtype',
  'wrong_dims',
  'tuple_value',
  'not_a_tuple',
  'no_hook',
  'write_order',
  'mixed_rows',
  'cannot_apply',
  'nothing_saved',
  'behind_stop',
  'inside_skip',
  'empty_input',
  'input_too_long',
  'token_out_of_range',
  'bad_input',
  'unknown_feed',
  'missing_feed',
  'not_reached',
  'unset',
  'failed',
  'too_large',
  'cancelled',
  'deadline_exceeded',
  'operation_failed',
  'too_much_memory',
  'host_lost',
  'shutting_down',
  'internal',
  'unreachable',
  'connection_lost',
  'protocol_violation',
  'refused_upgrade',
  'unauthorized',
  'not_installed',
  'misuse',
  'closed',
  'model_not_found',
  'model_invalid',
  'model_unsupported',
  'address_in_use',
  'bad_configuration',
] as const;

/** A code of the table. */
export type ErrorCode = (typeof CODES)[number];

/** Codes an access error may have: why a saved value never came to be. */
export const ACCESS_CODES = ['not_reached', 'unset', 'failed', 'too_large', 'cancelled'] as const;
/** A code of an access error. */
export type AccessCode = (typeof ACCESS_CODES)[number];

/** The page of the project's documentation about a code; none for a code that only the peer knows. */
export function errorPage(code: string): string | undefined {
  return (CODES as readonly string[]).includes(code) ? `docs/errors/${code}.md` : undefined;
}

/** An error as it crosses the wire: data only, no stack. */
export interface ErrorBody {
  readonly code: ErrorCode;
  /** A sentence for people. */
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
  readonly run?: string | undefined;
  /** In a run of several traces: the one whose graph it is about. */
  readonly trace?: number | undefined;
  /** The node in the graph. */
  readonly node?: number | undefined;
  /** A module's path, or the field's for `bad_message`. */
  readonly path?: string | undefined;
  readonly wanted?: string | undefined;
  readonly got?: string | undefined;
  /** The nearest right name. */
  readonly nearest?: string | undefined;
  readonly cause?: ErrorBody | undefined;
}

/** An error thrown within this code base; `body` is what crosses the wire. */
export class TracewireError extends Error {
  override readonly name: string = 'TracewireError';
  readonly #body: ErrorBody;

  constructor(body: ErrorBody, options?: ErrorOptions) {
    super(body.message, options);
    this.#body = body;
  }

  get body(): ErrorBody {
    return this.#body;
  }

  get code(): ErrorCode {
    return this.body.code;
  }

  /** The page about it, as `docs/errors/unknown_module.md`. */
  get page(): string | undefined {
    return errorPage(this.code);
  }
}

/** A foreign error's text is cut here, well below what the schema takes. */
const FOREIGN_TEXT = 2000;

/** Turns whatever was thrown into an error body; what isn't ours becomes `code`, without its stack. */
export function toErrorBody(thrown: unknown, code: ErrorCode = 'internal'): ErrorBody {
  if (thrown instanceof TracewireError) return thrown.body;
  const message = textOf(thrown);
  return { code, message: message.length > FOREIGN_TEXT ? `${message.slice(0, FOREIGN_TEXT)}…` : message };
}

function textOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? thrown.message : String(thrown);
  } catch {
    return 'A value without a text was thrown.';
  }
}
