/** All wrong servers. */
import { acceptsDuplicateKeys } from './accepts-duplicate-keys.ts';
import { acceptsUnknownOperator } from './accepts-unknown-operator.ts';
import { answersWrongRun } from './answers-wrong-run.ts';
import { anySubprotocol } from './any-subprotocol.ts';
import { closesOnBadMessage } from './closes-on-bad-message.ts';
import { compresses } from './compresses.ts';
import { dropsAccessError } from './drops-access-error.ts';
import { duplicateKeys } from './duplicate-keys.ts';
import { explainsTheWhole } from './explains-the-whole.ts';
import { firstErrorOnly } from './first-error-only.ts';
import { foreignCodes } from './foreign-codes.ts';
import { hidesWarnings } from './hides-warnings.ts';
import { ignoresCancel } from './ignores-cancel.ts';
import { ignoresInvokes } from './ignores-invokes.ts';
import { ignoresMasks } from './ignores-masks.ts';
import { ignoresSkips } from './ignores-skips.ts';
import { ignoresWindow } from './ignores-window.ts';
import { ignoresWrites } from './ignores-writes.ts';
import { lateLog } from './late-log.ts';
import { mendsPadding } from './mends-padding.ts';
import { neverStopsEarly } from './never-stops-early.ts';
import { nullFields } from './null-fields.ts';
import { refusesFloats } from './refuses-floats.ts';
import { runsToTheEnd } from './runs-to-the-end.ts';
import type { WrongServer } from './scaffold.ts';
import { silentOnPing } from './silent-on-ping.ts';
import { silentOnUnknown } from './silent-on-unknown.ts';
import { skipsSeq } from './skips-seq.ts';
import { statesReordered } from './states-reordered.ts';
import { takesAnyAck } from './takes-any-ack.ts';
import { takesText } from './takes-text.ts';
import { tokensWithoutInvoke } from './tokens-without-invoke.ts';
import { twoOutcomes } from './two-outcomes.ts';
import { valueAfterCompleted } from './value-after-completed.ts';
import { wrongBytes } from './wrong-bytes.ts';
import { wrongChunkSize } from './wrong-chunk-size.ts';
import { wrongDims } from './wrong-dims.ts';
import { wrongRequest } from './wrong-request.ts';

export const WRONG_SERVERS: readonly WrongServer[] = [
  acceptsDuplicateKeys,
  acceptsUnknownOperator,
  answersWrongRun,
  anySubprotocol,
  closesOnBadMessage,
  compresses,
  dropsAccessError,
  duplicateKeys,
  explainsTheWhole,
  firstErrorOnly,
  foreignCodes,
  hidesWarnings,
  ignoresCancel,
  ignoresInvokes,
  ignoresMasks,
  ignoresSkips,
  ignoresWindow,
  ignoresWrites,
  lateLog,
  mendsPadding,
  neverStopsEarly,
  nullFields,
  refusesFloats,
  runsToTheEnd,
  silentOnPing,
  silentOnUnknown,
  skipsSeq,
  statesReordered,
  takesAnyAck,
  takesText,
  tokensWithoutInvoke,
  twoOutcomes,
  valueAfterCompleted,
  wrongBytes,
  wrongChunkSize,
  wrongDims,
  wrongRequest,
];
