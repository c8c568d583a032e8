/**
 * A TCP connection that reads into memory of ours. Node reads 64 KiB at a time, so that `ws` must put each large frame
 * together; here a read may be of megabytes, and `ws` hands out views of it.
 */
import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';

const USUAL_BYTES = 64 * 1024;
/** Once a read has filled all that it was offered; so much memory a busy connection may hold. */
const LARGE_BYTES = 4 * 1024 * 1024;
/** Less room than this isn't worth a read. */
const LEAST_BYTES = 16 * 1024;

export function connectWithLargeReads(options: TcpNetConnectOpts): Socket {
  let buffer = Buffer.allocUnsafeSlow(USUAL_BYTES);
  let used = 0;
  let large = false;
  const socket: Socket = connect({
    ...options,
    onread: {
      buffer() {
        if (buffer.byteLength - used < LEAST_BYTES) {
          buffer = Buffer.allocUnsafeSlow(large ? LARGE_BYTES : USUAL_BYTES);
          used = 0;
        }
        return buffer.subarray(used);
      },
      callback(bytes) {
        const read = buffer.subarray(used, used + bytes);
        used += bytes;
        large = used === buffer.byteLength;
        return socket.push(read);
      },
    },
  });
  return socket;
}
