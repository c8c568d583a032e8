/** A model's files into a folder of its own, which is there when all of them are, and not before. */
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { TracewireError } from '@tracewire/protocol';
import { makeFolder } from '../../make-folder.ts';
import { download } from './download.ts';
import { type Hub, type HubFile, type Repository, repositoryOf } from './hub.ts';
import { select, type Wanted } from './selection.ts';

/** Says what was pulled. */
const RECORD = 'pulled.json';

export interface PullRequest {
  readonly hub: Hub;
  /** `OWNER/NAME`. */
  readonly repository: string;
  readonly revision: string;
  readonly onnx: string | undefined;
  /** Where the model goes. */
  readonly folder: string;
  /** Ask the hub though the model is here. */
  readonly update: boolean;
  /** Bytes that are there of all that are wanted, and what comes now. */
  readonly progress: (done: number, total: number, file: string) => void;
}

export interface Pulled {
  readonly repository: string;
  readonly revision: string;
  readonly folder: string;
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly digest: string }[];
  /** Whether anything was fetched; false for a model that was here already. */
  readonly fetched: boolean;
}

/** Throws a `TracewireError`; what was there before is there still. */
export async function pull(request: PullRequest): Promise<Pulled> {
  const { hub, repository: name, revision, folder, update } = request;
  const before = recordOf(folder);
  if (before && !update) return { ...before, folder, fetched: false };
  if (!before && existsSync(folder)) throw occupied(folder);
  const repository = await repositoryOf(hub, name, revision);
  const wanted = select(repository, request.onnx);
  if (before?.revision === repository.revision && before.files.length === wanted.length)
    return { ...before, folder, fetched: false };
  const partial = `${folder}.partial`;
  try {
    prepare(partial, repository, wanted);
    await fetchAll(request, repository, wanted, partial);
  } catch (error) {
    throw ofDisk(error, partial);
  }
  const record = {
    repository: name,
    revision: repository.revision,
    files: wanted.map(({ file, as }) => ({ name: as, bytes: file.bytes, digest: file.digest.hex })),
  };
  writeFileSync(join(partial, RECORD), `${JSON.stringify(record, undefined, 2)}\n`);
  rmSync(folder, { recursive: true, force: true });
  renameSync(partial, folder);
  return { ...record, folder, fetched: true };
}

function recordOf(folder: string): Omit<Pulled, 'folder' | 'fetched'> | undefined {
  const file = join(folder, RECORD);
  return existsSync(file)
    ? (JSON.parse(readFileSync(file, 'utf8')) as Omit<Pulled, 'folder' | 'fetched'>)
    : undefined;
}

/** Parts of another commit's files are thrown away; room for the rest must be there before the first byte. */
function prepare(partial: string, { revision }: Repository, wanted: readonly Wanted[]): void {
  const mark = join(partial, `.${revision}`);
  if (!existsSync(mark)) rmSync(partial, { recursive: true, force: true });
  makeFolder(partial);
  writeFileSync(mark, '');
  const have = readdirSync(partial).reduce((sum, name) => sum + statSync(join(partial, name)).size, 0);
  const rest = totalOf(wanted.map(({ file }) => file)) - have;
  const { bavail, bsize } = statfsSync(dirname(partial));
  if (rest > bavail * bsize) throw noSpace(partial, `${rest} bytes are wanted, ${bavail * bsize} are free`);
}

async function fetchAll(
  { hub, progress }: PullRequest,
  repository: Repository,
  wanted: readonly Wanted[],
  partial: string,
): Promise<void> {
  const total = totalOf(wanted.map(({ file }) => file));
  let done = 0;
  for (const { file, as } of wanted) {
    await download(hub, repository, file, join(partial, as), (bytes) => {
      done += bytes;
      progress(done, total, as);
    });
  }
  rmSync(join(partial, `.${repository.revision}`));
}

const totalOf = (files: readonly HubFile[]): number => files.reduce((sum, { bytes }) => sum + bytes, 0);

/** What was fetched makes room again where there is none; else it stays, and the next pull goes on with it. */
function ofDisk(error: unknown, partial: string): unknown {
  const { code, message } = error as { code?: string; message?: string };
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    rmSync(partial, { recursive: true, force: true });
    return noSpace(partial, String(message));
  }
  if (error instanceof TracewireError || !(error instanceof Error) || !('syscall' in error)) return error;
  return new TracewireError({ code: 'bad_configuration', message: `Can’t write to ${partial}: ${message}.` });
}

function noSpace(partial: string, why: string): TracewireError {
  const message = `There is no room for the model in ${dirname(partial)}: ${why}. Nothing was installed. Make room, or choose another folder with --out.`;
  return new TracewireError({ code: 'bad_configuration', message, path: partial });
}

function occupied(folder: string): TracewireError {
  const message = `${folder} is there, and was not pulled. Move it away, or choose another folder with --out.`;
  return new TracewireError({ code: 'bad_configuration', message, path: folder });
}
