/** Upgrades that a case makes itself: what must be let in, and what refused. */
import type { CaseContext } from './cases.ts';
import { check, NotApplicable } from './mismatch.ts';
import type { SocketWire, Upgrade, UpgradeOptions } from './wire.ts';

async function upgrade({ target }: CaseContext, options: UpgradeOptions): Promise<Upgrade> {
  if (!target.upgrade) throw new NotApplicable('there is no socket');
  return target.upgrade(options);
}

export async function mustOpen(context: CaseContext, options: UpgradeOptions): Promise<SocketWire> {
  const result = await upgrade(context, options);
  check('wire' in result, 'an open WebSocket', () => ('status' in result ? `HTTP ${result.status}` : ''));
  return result.wire;
}

export async function mustRefuse(context: CaseContext, options: UpgradeOptions, status: number) {
  const result = await upgrade(context, options);
  if (status === 401 && 'status' in result) mustNotWait(result.status);
  if ('wire' in result) result.wire.close();
  check('status' in result && result.status === status, `HTTP ${status}`, () =>
    'status' in result ? `HTTP ${result.status}` : 'an open WebSocket',
  );
  return result.headers;
}

/** A server may answer 429 after many failed attempts, and then the case has nothing to see. */
export function mustNotWait(status: number): void {
  if (status === 429)
    throw new NotApplicable('the server has had too many failed attempts; wait and run it again');
}
