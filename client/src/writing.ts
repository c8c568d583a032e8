/**
 * The part of the client that writes traces, checks and runs them: placeholders, the recorder, the static checks, the table of
 * operators. `later.ts` loads it, by import(), while the server describes the model, and nothing else imports this file: so a
 * bundler leaves it out of what a page loads first.
 */
export { ModelIndex } from '@tracewire/protocol';
export { mustOfferInvokes } from './batch.ts';
export { fragmentOf, storedOf } from './edit-fragment.ts';
export { toData } from './edit-stored.ts';
export { explain, mustOfferExplain } from './explain.ts';
export { hash, sha256Of } from './function-reading.ts';
export { mustGenerate } from './must-generate.ts';
export { inOnePass } from './one-pass.ts';
export { printModel } from './print-model.ts';
export { record } from './record.ts';
export { scan } from './scan.ts';
export { send } from './send.ts';
export { mustOfferSession, recordSession } from './session.ts';
export { ModelTree } from './tree.ts';
export { validate } from './validate.ts';
