/**
 * The explorer's page and its files, served from memory: what isn't in the table that is made at the start doesn't exist, so no
 * path leads anywhere else. The page may load and reach nothing but this server, and runs no inline script.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

/** Where `npm run build` puts it. */
export const EXPLORER_FOLDER = fileURLToPath(new URL('../../dist/explorer/', import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

interface File {
  readonly type: string;
  readonly plain: Buffer;
  readonly gzip: Buffer;
  readonly etag: string;
  /** The hash in its name changes with the content. */
  readonly hashed: boolean;
}

export class Explorer {
  readonly #files: ReadonlyMap<string, File>;

  private constructor(files: ReadonlyMap<string, File>) {
    this.#files = files;
  }

  /** Reads the built page; undefined where it wasn't built. */
  static read(folder: string = EXPLORER_FOLDER): Explorer | undefined {
    const names = listed(folder);
    if (!names.includes('index.html')) return undefined;
    return new Explorer(new Map(names.map((name) => [pathOf(name), fileOf(folder, name)])));
  }

  /** What answers a GET or HEAD for one of its files; undefined where there is none, or a program asks for the root. */
  find(path: string, { headers }: IncomingMessage): ((response: ServerResponse) => void) | undefined {
    const file = this.#files.get(path);
    if (!file || (path === '/' && !wantsPage(headers))) return undefined;
    return (response) => send(file, headers, response);
  }
}

function send(file: File, asked: IncomingHttpHeaders, response: ServerResponse): void {
  const zipped = /\bgzip\b/.test(String(asked['accept-encoding'] ?? ''));
  const body = zipped ? file.gzip : file.plain;
  const headers = {
    ...PAGE_HEADERS,
    'Content-Type': file.type,
    'Cache-Control': file.hashed ? 'public, max-age=31536000, immutable' : 'no-cache',
    ETag: file.etag,
    Vary: 'Accept, Accept-Encoding',
  };
  if (asked['if-none-match'] === file.etag) return void response.writeHead(304, headers).end();
  const length = { 'Content-Length': String(body.byteLength) };
  response
    .writeHead(200, { ...headers, ...length, ...(zipped ? { 'Content-Encoding': 'gzip' } : {}) })
    .end(body);
}

/** Browsers say that they want HTML; probes and curl don't, and get one line. */
const wantsPage = ({ accept = '' }: IncomingHttpHeaders): boolean => /\btext\/html\b/.test(accept);

function listed(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    return entries.map((name) => name.replaceAll('\\', '/')).filter((name) => extname(name) in TYPES);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

const pathOf = (name: string): string => (name === 'index.html' ? '/' : `/${name}`);

function fileOf(folder: string, name: string): File {
  const plain = readFileSync(`${folder}/${name}`);
  return {
    type: TYPES[extname(name)] ?? 'application/octet-stream',
    plain,
    gzip: gzipSync(plain),
    etag: `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`,
    hashed: name.startsWith('assets/'),
  };
}
