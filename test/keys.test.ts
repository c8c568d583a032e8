/** Keys as a tired user and a hostile one meet them: the built command line, real sockets. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { LanguageModel } from '@tracewire/client';
import { SUBPROTOCOL } from '@tracewire/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { admittance } from '../server/src/cli/admittance.ts';
import { SILENT } from '../server/src/gateway/log.ts';
import { served } from './support/served.ts';
import { makeKey, runCli, startServer } from './support/server.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'tracewire-keys-'));
const file = path.join(folder, 'keys.json');
afterAll(() => rmSync(folder, { recursive: true }));
const key = await makeKey(file, 'one');
const server = await served('--keys', file, '--allow-origin', 'https://app.example');

interface Try {
  readonly headers?: Record<string, string>;
  readonly protocols?: readonly string[];
  readonly at?: string;
}

/** The status of an upgrade; 101 where it was let in. */
function upgrade({ headers = {}, protocols = [SUBPROTOCOL], at = '' }: Try): Promise<number> {
  const socket = new WebSocket(`${server.url}/${at}`, [...protocols], { headers });
  return new Promise((resolve, reject) => {
    socket.on('open', () => {
      socket.terminate();
      resolve(101);
    });
    socket.on('unexpected-response', (request, response) => {
      resolve(response.statusCode ?? 0);
      request.destroy();
    });
    socket.on('error', reject);
  });
}

const bearer = (text = key) => ({ authorization: `Bearer ${text}` });

const askTicket = (headers: Record<string, string> = bearer(), method = 'POST') =>
  fetch(`${server.url.replace('ws', 'http')}/v2/ticket`, { method, headers });

async function code(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'none',
    (error: { code: string }) => error.code,
  );
}

describe('who knocks', () => {
  it.each<[string, () => Try, number]>([
    ['the right key', () => ({ headers: bearer() }), 101],
    ['the right key with spaces around', () => ({ headers: bearer(`  ${key} `) }), 101],
    ['no key', () => ({}), 401],
    ['a wrong key', () => ({ headers: bearer('hunter2') }), 401],
    ['a key cut short', () => ({ headers: bearer(key.slice(0, -1)) }), 401],
    ['two keys', () => ({ headers: bearer(`${key} ${key}`) }), 401],
    ['an empty header', () => ({ headers: { authorization: '' } }), 401],
    ['a key in the query string', () => ({ at: `?key=${key}` }), 401],
    ['the id alone', () => ({ headers: bearer(key.slice(3, 15)) }), 401],
    ['the hash', () => ({ headers: bearer(JSON.parse(readFileSync(file, 'utf8')).keys[0].sha256) }), 401],
    ['another subprotocol', () => ({ headers: bearer(), protocols: ['x'] }), 400],
    ['a foreign page', () => ({ headers: { ...bearer(), origin: 'https://evil.example' } }), 403],
    ['an allowed page', () => ({ headers: { ...bearer(), origin: 'https://app.example' } }), 101],
    [
      'a page of an allowed name and another port',
      () => ({ headers: { ...bearer(), origin: 'https://app.example:8' } }),
      403,
    ],
    ['a rebound name', () => ({ headers: { ...bearer(), host: 'evil.example' } }), 403],
    ['huge headers', () => ({ headers: { ...bearer(), 'x-huge': 'x'.repeat(32_000) } }), 431],
  ])('%s', async (_, knock, wanted) => {
    expect(await upgrade(knock())).toBe(wanted);
  });

  it('a line break in a key is no request at all', async () => {
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    socket.write(`GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${key}\n\u0000x: y\r\n\r\n`);
    const answer = await new Promise<string>((resolve) =>
      socket.once('data', (data) => resolve(String(data))),
    );
    socket.destroy();
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  });
});

describe('a ticket', () => {
  const by = (ticket: string): Try => ({ protocols: [SUBPROTOCOL, `tracewire.ticket.${ticket}`] });

  it('is good once', async () => {
    const { ticket } = (await (await askTicket()).json()) as { ticket: string };
    expect(await upgrade(by(ticket))).toBe(101);
    expect(await upgrade(by(ticket))).toBe(401);
  });

  it('is for allowed pages, which can read a refusal', async () => {
    const refused = await askTicket({ origin: 'https://app.example' });
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([
      401,
      'https://app.example',
    ]);
    expect(refused.headers.get('www-authenticate')).toBe('Bearer');
    const foreign = await askTicket({ ...bearer(), origin: 'https://evil.example' });
    expect([foreign.status, foreign.headers.get('access-control-allow-origin')]).toEqual([403, null]);
    expect((await askTicket({ origin: 'https://app.example' }, 'OPTIONS')).status).toBe(204);
    expect((await askTicket(bearer(), 'GET')).status).toBe(405);
  });

  it('is worth nothing when its key is revoked, nor is the key, and its connections end', async () => {
    const gone = await makeKey(file, 'gone');
    const model = new LanguageModel('tiny-gpt2', { url: server.url, key: `${gone}\n` });
    await model.describe();
    const { ticket } = (await (await askTicket(bearer(gone))).json()) as { ticket: string };
    const socket = new WebSocket(server.url, SUBPROTOCOL, { headers: bearer(gone) });
    const closed = new Promise((resolve) => socket.on('close', resolve));
    await new Promise((resolve) => socket.on('open', resolve));
    expect((await runCli('keys', 'revoke', 'gone', '--keys', file)).code).toBe(0);
    expect(await upgrade({ headers: bearer(gone) })).toBe(401);
    expect(await upgrade(by(ticket))).toBe(401);
    expect(await closed).toBe(4401);
    expect(await code(model.tokenizer.encode('x'))).toBe('unauthorized');
    await model.close();
    expect(await upgrade({ headers: bearer() })).toBe(101);
  });

  it('is bounded in number', async () => {
    const many = await makeKey(file, 'many');
    const statuses: number[] = [];
    for (let count = 0; count < 33; count++) statuses.push((await askTicket(bearer(many))).status);
    expect(statuses.slice(-2)).toEqual([200, 429]);
  });
});

describe('the client', () => {
  it.each([
    ['no key', {}, 'unauthorized'],
    ['a wrong key', { key: 'hunter2' }, 'unauthorized'],
    ['an empty key', { key: ' ' }, 'bad_input'],
    ['a key with a line break within', { key: 'a\nb' }, 'bad_input'],
  ])('with %s', async (_, options, wanted) => {
    const ask = async () => new LanguageModel('tiny-gpt2', { url: server.url, ...options }).describe();
    expect(await code(ask())).toBe(wanted);
  });

  it('takes no key in the address', () => {
    expect(() => new LanguageModel('tiny-gpt2', { url: `${server.url}/?key=${key}` })).toThrow(
      'ends up in logs',
    );
  });

  it('takes TRACEWIRE_KEY', async () => {
    process.env['TRACEWIRE_KEY'] = `${key}\n`;
    const model = new LanguageModel('tiny-gpt2', { url: server.url });
    expect((await model.describe()).name).toBe('tiny-gpt2');
    delete process.env['TRACEWIRE_KEY'];
    await model.close();
  });
});

describe('the key file', () => {
  it('has hashes, and is its owner’s', () => {
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8')).not.toContain(key.slice(16));
  });

  it('takes two writers at once, and no name twice', async () => {
    const names = ['a', 'b', 'c', 'd'];
    const other = path.join(folder, 'many.json');
    await Promise.all(names.map((name) => makeKey(other, name)));
    const { stdout } = await runCli('keys', 'list', '--json', '--keys', other);
    expect((JSON.parse(stdout) as { name: string }[]).map(({ name }) => name).sort()).toEqual(names);
    expect((await runCli('keys', 'make', 'a', '--keys', other)).code).toBe(2);
    expect((await runCli('keys', 'revoke', 'nobody', '--keys', other)).code).toBe(2);
  });

  it.each([
    ['is missing', undefined, 0o600, 'There is no key file'],
    ['is empty', '', 0o600, 'is empty'],
    ['is no JSON', '{"version":1', 0o600, 'is no JSON'],
    ['is of another shape', '{"version":1,"keys":[{"id":"x"}]}', 0o600, 'is wrong at keys.0'],
    ['others may write', '{"version":1,"keys":[]}', 0o666, 'chmod 600'],
  ])('that %s starts no server', async (name, text, mode, wanted) => {
    const bad = path.join(folder, `${name}.json`);
    if (text !== undefined) {
      writeFileSync(bad, text);
      chmodSync(bad, mode);
    }
    const { code, stderr } = await runCli('serve', '--port', '0', '--keys', bad);
    expect(stderr).toContain(wanted);
    expect(code).toBe(2);
  });

  it('that breaks while the server runs lets nobody new in', async () => {
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, '');
    expect(await upgrade({ headers: bearer() })).toBe(503);
    writeFileSync(file, text);
    expect(await upgrade({ headers: bearer() })).toBe(101);
  });
});

describe('TLS', () => {
  const pem = (name: string) => path.join(folder, name);
  beforeAll(() => {
    for (const name of ['a', 'b']) {
      const args = [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '2',
      ];
      const out = ['-keyout', pem(`${name}.key`), '-out', pem(`${name}.pem`), '-subj', '/CN=localhost'];
      execFileSync('openssl', [...args, ...out, '-addext', 'subjectAltName=IP:127.0.0.1'], {
        stdio: 'ignore',
      });
    }
    writeFileSync(pem('none.pem'), 'nothing');
  });

  it.each([
    ['one alone', ['--tls-cert', 'a.pem'], 'go together; --tls-key is missing'],
    ['a missing file', ['--tls-cert', 'a.pem', '--tls-key', 'x.key'], 'Can’t read the private key'],
    ['another’s key', ['--tls-cert', 'a.pem', '--tls-key', 'b.key'], 'is not that of the certificate'],
    ['no certificate', ['--tls-cert', 'none.pem', '--tls-key', 'a.key'], 'holds no certificate'],
  ])('refuses %s', async (_, args, wanted) => {
    const paths = args.map((arg) => (arg.startsWith('--') ? arg : pem(arg)));
    const { code, stderr } = await runCli('serve', '--port', '0', ...paths);
    expect(stderr).toContain(wanted);
    expect(code).toBe(2);
  });

  it('serves wss://', async () => {
    const secure = await startServer('--tls-cert', pem('a.pem'), '--tls-key', pem('a.key')).catch(
      (error) => error,
    );
    expect(secure.url).toMatch(/^wss:/);
    const socket = new WebSocket(secure.url, SUBPROTOCOL, { ca: readFileSync(pem('a.pem')) });
    await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
    socket.terminate();
    await secure.stop();
  });
});

it('many failed attempts are told to wait; a right key is not', async () => {
  const statuses = new Set<number>();
  for (let count = 0; count < 35; count++) statuses.add(await upgrade({ headers: bearer('guess') }));
  expect([...statuses].at(-1)).toBe(429);
  expect(await upgrade({ headers: bearer() })).toBe(101);
});

it('says so where it asks for no keys though others can reach it', () => {
  const { notice, keys } = admittance({ host: '0.0.0.0', keys: false, trustProxy: false }, SILENT);
  expect(keys).toBeUndefined();
  expect(notice).toBe('Keys: none. Everybody who can reach 0.0.0.0 may use this server.\n');
});
