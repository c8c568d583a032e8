/** Whether the server in this container is ready for traces: exit code 0, else 1. */
const port = process.env.TRACEWIRE_PORT ?? '7331';
const scheme = process.env.TRACEWIRE_TLS_CERT ? 'https' : 'http';
// Its own certificate is for another name than loopback's.
if (scheme === 'https') process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
try {
  const response = await fetch(`${scheme}://127.0.0.1:${port}/v2/health/ready`, {
    signal: AbortSignal.timeout(4000),
  });
  process.exitCode = response.ok ? 0 : 1;
} catch {
  process.exitCode = 1;
}
