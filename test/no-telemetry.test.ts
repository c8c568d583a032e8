/**
 * ONNX Runtime reports nothing to its maker. Without a folder to keep its identifier in it complains when its telemetry starts;
 * so it is told apart from one that was left on. It is off where CI is set, so that isn't.
 */
import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { CACHE, ROOT } from './support/server.ts';

const CLI = path.join(ROOT, 'server/dist/cli/main.js');
const NOWHERE = '/proc/nowhere';
const COMPLAINT = /telemetry/i;
const surroundings = (more: Readonly<Record<string, string>>): NodeJS.ProcessEnv => {
  const { CI: _, ...env } = process.env;
  return { ...env, HOME: NOWHERE, XDG_CACHE_HOME: NOWHERE, ...more };
};

describe.skipIf(process.platform !== 'linux')('ONNX Runtime’s telemetry', () => {
  const trees = (more: Readonly<Record<string, string>>): string => {
    const args = [CLI, 'tree', 'tiny-gpt2', '--cache', path.join(CACHE, `telemetry-${Date.now()}`)];
    const { stderr, status } = spawnSync(process.execPath, args, {
      env: surroundings(more),
      encoding: 'utf8',
    });
    expect(status).toBe(0);
    return stderr;
  };

  it('is off', () => {
    expect(trees({})).not.toMatch(COMPLAINT);
  });

  it('would be on otherwise, so the check above can fail', () => {
    expect(trees({ ORT_DISABLE_TELEMETRY: '0' })).toMatch(COMPLAINT);
  });

  it.each([
    ['off', false, {}],
    ['on where the server is told so', true, { ORT_DISABLE_TELEMETRY: '0' }],
  ])('of a served model is %s', async (_, on, more) => {
    const args = [CLI, 'serve', '--port', '0', '--cache', CACHE, '--log-level', 'warn'];
    const server = spawn(process.execPath, args, { env: surroundings(more) });
    let printed = '';
    const ended = new Promise((resolve) => server.once('close', resolve));
    const listen = (text: Buffer): void => {
      printed += text.toString();
      if (printed.includes('Listening on')) server.kill('SIGTERM');
    };
    server.stdout.on('data', listen);
    server.stderr.on('data', listen);
    await ended;
    expect(printed).toContain('Listening on');
    expect(COMPLAINT.test(printed)).toBe(on);
  });
});
