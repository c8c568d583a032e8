/** A saved value as text: dtype, dims and every byte. */
import { type SavedValue, Tensor } from '@tracewire/client';

export function fingerprint(value: SavedValue): string {
  if (!(value instanceof Tensor)) return `(${value.map(fingerprint).join()})`;
  const { data, dtype, dims } = value;
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64');
  return `${dtype} [${dims}] ${bytes}`;
}
