/** The hub's two routes that are needed: what a repository holds, and a file of it from some byte on. */
import { type ErrorCode, TracewireError } from '@tracewire/protocol';

export interface Hub {
  /** `https://huggingface.co`, or a mirror's address. */
  readonly address: string;
  readonly token?: string | undefined;
}

export interface HubFile {
  /** The path in the repository. */
  readonly name: string;
  readonly bytes: number;
  /** Of the content; or of git's object with it, for files that are small. */
  readonly digest: { readonly algorithm: 'sha256' | 'git-sha1'; readonly hex: string };
}

export interface Repository {
  readonly name: string;
  /** The commit. */
  readonly revision: string;
  readonly files: readonly HubFile[];
}

/** How long the hub may take to begin an answer. */
const ANSWER_MS = 30_000;

/** Throws `model_not_found`, `unauthorized`, `unreachable` or `protocol_violation`. */
export async function repositoryOf(hub: Hub, name: string, revision: string): Promise<Repository> {
  const path = `/api/models/${name}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const response = await request(hub, path);
  if (!response.ok) throw refusal(hub, name, revision, response);
  const { sha, siblings } = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  if (typeof sha !== 'string' || !/^[\w-]{1,64}$/.test(sha) || !Array.isArray(siblings)) {
    throw fault(
      'protocol_violation',
      `${hub.address} answered, but not as a hub does. Is it a mirror of the hub’s API?`,
    );
  }
  return { name, revision: sha, files: siblings.flatMap(fileOf) };
}

/** The bytes of a file from `from` on; whether the hub began there, for it may begin anew. */
export async function contentOf(
  hub: Hub,
  { name, revision }: Repository,
  file: string,
  from: number,
): Promise<{ readonly stream: ReadableStream<Uint8Array>; readonly from: number }> {
  const path = `/${name}/resolve/${revision}/${file.split('/').map(encodeURIComponent).join('/')}`;
  const response = await request(hub, path, from > 0 ? { range: `bytes=${from}-` } : {});
  if (!response.ok || !response.body) throw refusal(hub, name, file, response);
  return { stream: response.body, from: response.status === 206 ? from : 0 };
}

function fileOf(sibling: unknown): HubFile[] {
  const { rfilename, size, blobId, lfs } = sibling as {
    rfilename?: unknown;
    size?: unknown;
    blobId?: unknown;
    lfs?: { sha256?: unknown; size?: unknown };
  };
  if (typeof rfilename !== 'string') return [];
  const bytes = Number(lfs?.size ?? size);
  const hex = lfs?.sha256 ?? blobId;
  if (!Number.isSafeInteger(bytes) || bytes < 0 || typeof hex !== 'string' || !/^[0-9a-f]{40,64}$/.test(hex))
    return [];
  return [{ name: rfilename, bytes, digest: { algorithm: lfs ? 'sha256' : 'git-sha1', hex } }];
}

async function request(
  { address, token }: Hub,
  path: string,
  headers: Record<string, string> = {},
): Promise<Response> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(new Error(`no answer in ${ANSWER_MS / 1000} s`)), ANSWER_MS);
  try {
    const authorization: Record<string, string> =
      token === undefined ? {} : { authorization: `Bearer ${token}` };
    return await fetch(`${address}${path}`, {
      headers: { ...headers, ...authorization },
      signal: abort.signal,
    });
  } catch (error) {
    const why =
      error instanceof Error ? ((error.cause as Error | undefined)?.message ?? error.message) : String(error);
    throw fault(
      'unreachable',
      `${address} can’t be reached (${why}). Is there a network? A mirror’s address goes with --hub.`,
    );
  } finally {
    clearTimeout(timer);
  }
}

/** The hub says 401 of what doesn't exist, so as not to tell what is private. */
function refusal({ address, token }: Hub, name: string, what: string, { status }: Response): TracewireError {
  if (status === 404 || status === 401) {
    const key = token === undefined ? ' If it is private, set HF_TOKEN.' : '';
    return fault(
      'model_not_found',
      `${address} has no model ${name} with ${what}. Check its spelling, OWNER/NAME.${key}`,
    );
  }
  if (status === 403)
    return fault(
      'unauthorized',
      `${address} doesn’t give out ${name}: accept its terms there, and set HF_TOKEN.`,
    );
  return fault('unreachable', `${address} answered ${status} for ${name}. Try again later.`);
}

function fault(code: ErrorCode, message: string): TracewireError {
  return new TracewireError({ code, message });
}
