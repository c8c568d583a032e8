/** Our server conforms: the one behind a socket, by the command line as others use it, and the one in this process. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Notebook } from '../../server/src/conformance/audit.ts';
import { Peer } from '../../server/src/conformance/peer.ts';
import { runCases } from '../../server/src/conformance/runner.ts';
import { judge, parseExpectedFailures } from '../../server/src/conformance/select.ts';
import { SERVER_CASES } from '../../server/src/conformance/suite.ts';
import { served } from '../support/served.ts';
import { makeKey, ROOT, runCli, startServer } from '../support/server.ts';
import { LOCAL_TARGET } from './local-target.ts';

const EXPECTED = path.join(ROOT, 'test/conformance/expected-failures.txt');
const folder = mkdtempSync(path.join(tmpdir(), 'tracewire-conformance-'));

afterAll(() => rmSync(folder, { recursive: true }));
const server = await served();

describe('tracewire conformance', () => {
  it('finds that our server conforms', { timeout: 180_000 }, async () => {
    const [json, junit] = [path.join(folder, 'out.json'), path.join(folder, 'out.xml')];
    const files = ['--json', json, '--junit', junit, '--expected-failures', EXPECTED];
    const { code, stdout, stderr } = await runCli('conformance', server.url, ...files);
    expect(stderr).toBe('');
    expect(stdout).toContain(': conforms.');
    expect(code).toBe(0);
    const report = JSON.parse(readFileSync(json, 'utf8')) as {
      results: { id: string; verdict: string; reason?: string }[];
    };
    expect(report.results).toHaveLength(SERVER_CASES.length);
    const ofKeys = new Set(SERVER_CASES.filter(({ profile }) => profile === 'keys').map(({ id }) => id));
    const skipped = report.results.filter(({ id, verdict }) => verdict === 'skipped' && !ofKeys.has(id));
    expect(skipped.filter(({ reason }) => !reason?.includes('doesn’t announce')).length).toBeLessThan(20);
    expect(readFileSync(junit, 'utf8')).toMatch(/^<\?xml .*\n<testsuite .* failures="0"/);
  });

  it('runs what is asked for, and fails for a stale or unknown expected failure', async () => {
    const file = path.join(folder, 'expected.txt');
    writeFileSync(file, 'welcome # it fails no more\nno-such-case\n');
    const only = ['--only', 'welcome,R-014', '--expected-failures', file];
    const { code, stdout } = await runCli('conformance', server.url, ...only);
    expect(code).toBe(1);
    expect(stdout).toContain('STALE    welcome');
    expect(stdout).toContain('UNKNOWN  no-such-case');
    expect(stdout).toContain('2 passed, 0 failed, 0 skipped, of 2 cases');
  });

  it.each([
    ['no address', [], 2, 'Give the address'],
    ['both an address and a client', ['ws://127.0.0.1:9', '--client', 'true'], 2, 'one of them'],
    ['an address that is none', ['127.0.0.1:9'], 2, 'no address of a server'],
    ['an address where nobody is', ['ws://127.0.0.1:9'], 1, 'unreachable'],
    ['a case that there isn’t', ['ws://127.0.0.1:9', '--only', 'welcom'], 2, 'Did you mean welcome?'],
  ])('says what is wrong with %s', async (_, args, wanted, text) => {
    const { code, stderr } = await runCli('conformance', ...args);
    expect(stderr).toContain(text);
    expect(code).toBe(wanted);
  });
});

describe('a server that wants keys', () => {
  it('conforms too, and one key sees nothing of another', { timeout: 180_000 }, async () => {
    const file = path.join(folder, 'keys.json');
    const [one, two] = [await makeKey(file, 'one'), await makeKey(file, 'two')];
    const keyed = await startServer('--keys', file);
    const keys = ['--key', one, '--other-key', two];
    const json = path.join(folder, 'keyed.json');
    const { code, stdout } = await runCli(
      ...['conformance', keyed.url, ...keys, '--json', json, '--expected-failures', EXPECTED],
    );
    await keyed.stop();
    expect(stdout).toContain(': conforms.');
    expect(code).toBe(0);
    const { results } = JSON.parse(readFileSync(json, 'utf8')) as {
      results: { id: string; verdict: string }[];
    };
    const ofKeys = new Set(SERVER_CASES.filter(({ profile }) => profile === 'keys').map(({ id }) => id));
    const shown = results.filter(({ id }) => ofKeys.has(id)).map(({ verdict }) => verdict);
    expect(new Set(shown)).toEqual(new Set(['passed']));
    expect(readFileSync(json, 'utf8')).not.toContain(one);
  });
});

describe('the engine in this process', () => {
  it('conforms, in all that needs no socket', { timeout: 180_000 }, async () => {
    // The engine lives as long as a conversation does; one that says no hello ends after 10 s.
    const hold = new Peer(await LOCAL_TARGET.connect(), {
      notes: new Notebook(),
      timeoutMs: 30_000,
      model: '',
    });
    await hold.hello();
    // A value of 256 MiB would be this test's memory; the server's process shows that it knows its limit.
    const cases = SERVER_CASES.filter(({ id }) => id !== 'too-large');
    const results = await runCases({ target: LOCAL_TARGET, cases, timeoutMs: 10_000 });
    hold.wire.close();
    const expected = parseExpectedFailures(readFileSync(EXPECTED, 'utf8'));
    const outcome = judge(LOCAL_TARGET.name, results, expected, SERVER_CASES);
    const failed = outcome.results.filter(({ verdict, expected }) => verdict === 'failed' && !expected);
    expect(failed).toEqual([]);
    expect(outcome.stale).toEqual([]);
  });
});
