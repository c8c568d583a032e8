/** A stand-in for the hub's routes: what a repository holds, and its files with ranges; it can be told to misbehave. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

const COMMIT = 'c0ffee'.padEnd(40, '0');
/** Above so many bytes a file is kept as the hub keeps large ones, with a SHA-256. */
const LARGE = 10_000;

export class StandInHub {
  readonly requests: {
    readonly url: string;
    readonly range: string | undefined;
    readonly authorization: string | undefined;
  }[] = [];
  commit = COMMIT;
  /**
   * The connection breaks after so many bytes of a file, as often as is told; where `until` is given, when the file has come
   * so far, for what the other end has not read is lost with the connection.
   */
  breaks: { after: number; times: number; until?: (bytes: number) => Promise<void> } = {
    after: Number.POSITIVE_INFINITY,
    times: 0,
  };
  /** Bytes of files are altered on the way. */
  alters = false;
  ranges = true;
  readonly #files: Map<string, Buffer>;
  readonly #server: Server;
  #address = '';

  private constructor(files: Map<string, Buffer>) {
    this.#files = files;
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  /** Serves a folder's files as the repository `owner/model`, and more of them by name. */
  static async start(folder: string, more: Readonly<Record<string, Buffer>> = {}): Promise<StandInHub> {
    const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
    const files = names.map(({ name }) => [name, readFileSync(join(folder, name))] as const);
    const hub = new StandInHub(new Map([...files, ...Object.entries(more)]));
    hub.#server.listen(0, '127.0.0.1');
    await once(hub.#server, 'listening');
    hub.#address = `http://127.0.0.1:${(hub.#server.address() as AddressInfo).port}`;
    return hub;
  }

  get address(): string {
    return this.#address;
  }

  /** Paths of files that were asked for. */
  get fetched(): string[] {
    return this.requests.flatMap(({ url }) => url.split(`/resolve/${this.commit}/`)[1] ?? []);
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { url = '', headers } = request;
    this.requests.push({ url, range: headers.range, authorization: headers.authorization });
    if (url.startsWith('/api/models/owner/model/revision/main?'))
      return void response.end(JSON.stringify(this.#listing()));
    const file = url.split(`/owner/model/resolve/${this.commit}/`)[1];
    const content = file === undefined ? undefined : this.#files.get(decodeURIComponent(file));
    if (content) return this.#send(content, headers.range, response);
    // As the hub does, which doesn't tell private from missing.
    response.writeHead(url.includes('/owner/model/') ? 404 : 401).end('{"error":"Repository not found"}');
  }

  #listing(): object {
    const siblings = [...this.#files].map(([rfilename, content]) => {
      const size = content.length;
      const blobId = createHash('sha1').update(`blob ${size}\0`).update(content).digest('hex');
      const sha256 = createHash('sha256').update(content).digest('hex');
      return { rfilename, size, blobId, ...(size > LARGE ? { lfs: { sha256, size } } : {}) };
    });
    return { id: 'owner/model', sha: this.commit, siblings };
  }

  #send(content: Buffer, range: string | undefined, response: ServerResponse): void {
    const from = this.ranges ? Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0) : 0;
    const rest = Buffer.from(content.subarray(from));
    if (this.alters && rest.length > 0) rest[0] = (rest[0] ?? 0) ^ 1;
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': rest.length });
    if (this.breaks.times > 0 && rest.length > this.breaks.after) {
      this.breaks.times -= 1;
      const { after, until } = this.breaks;
      response.write(rest.subarray(0, after));
      return void (until?.(from + after) ?? Promise.resolve()).then(() => response.socket?.end());
    }
    response.end(rest);
  }
}
