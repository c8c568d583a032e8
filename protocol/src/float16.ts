/** float16 ↔ its bits. The only file that knows the library; Node 20 has no Float16Array. */
import { getFloat16, setFloat16 } from '@petamoriken/float16';

const cell = new DataView(new ArrayBuffer(2));

export function float16FromBits(bits: number): number {
  cell.setUint16(0, bits);
  return getFloat16(cell, 0);
}

/** Rounds to the nearest, ties to even; what is too large becomes infinity. */
export function float16ToBits(value: number): number {
  setFloat16(cell, 0, value);
  return cell.getUint16(0);
}
