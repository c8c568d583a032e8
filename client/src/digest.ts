/** The hash of a blob's bytes, by the runtime's own code where there is some: Node's and browsers' `crypto.subtle`. */
import { sha256Hex } from '@tracewire/protocol';

interface Subtle {
  digest(algorithm: 'SHA-256', bytes: Uint8Array): Promise<ArrayBuffer>;
}

/** A SHA-256 in lower-case hex. A page without TLS has no `subtle`; there it blocks the page for a while. */
export async function digest(bytes: Uint8Array): Promise<string> {
  const { subtle } = crypto as unknown as { readonly subtle?: Subtle };
  if (!subtle) return sha256Hex(bytes);
  const hash = await subtle.digest('SHA-256', bytes);
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
