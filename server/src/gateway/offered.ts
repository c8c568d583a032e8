/** What belongs to a capability may be sent only where both sides have announced it (PROTOCOL.md, section 6). */
import { TracewireError } from '@tracewire/protocol';

/** Throws `not_offered`. `path`: the field, or `type` for a whole message. */
export function mustOffer(shared: ReadonlySet<string>, capability: string, path: string): void {
  if (shared.has(capability)) return;
  const what = path === 'type' ? 'The message' : path;
  throw new TracewireError({
    code: 'not_offered',
    message: `${what} belongs to the capability ${capability}, which has not been announced by both sides.`,
    path,
    wanted: capability,
  });
}
