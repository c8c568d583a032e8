/**
 * One run's messages on disk: a file that only grows, whose pieces are whole messages, and for a run that is kept beyond
 * its end a small index beside it. Work on a file is done in order; the event loop never waits for the disk.
 */
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';

/** Where a message lies. */
export interface Piece {
  readonly offset: number;
  /** Header and payload. */
  readonly size: number;
  readonly crc: number;
}

export type OpenFile = (path: string, flags: string, mode: number) => Promise<FileHandle>;

export class RunFile {
  readonly #path: string;
  readonly #openFile: OpenFile;
  #handle: FileHandle | undefined;
  #end: number;
  #removed = false;
  /** What is done last; it never rejects. */
  #work: Promise<unknown> = Promise.resolve();

  /** `path` without an ending; `end`: the length of a file that is there. */
  constructor(path: string, end = 0, openFile: OpenFile = open) {
    this.#path = path;
    this.#end = end;
    this.#openFile = openFile;
  }

  /** Appends one message. Rejects when the disk doesn't take all of it; the file is then as if it had not been tried. */
  write(parts: readonly Uint8Array[]): Promise<Piece> {
    return this.#inTurn(async () => {
      const handle = await this.#open();
      const offset = this.#end;
      let at = offset;
      let crc = 0;
      for (const part of parts) {
        await writeAll(handle, part, at);
        crc = crc32(part, crc);
        at += part.byteLength;
      }
      this.#end = at;
      return { offset, size: at - offset, crc };
    });
  }

  /** Rejects when the disk doesn't give it back as it was. */
  read({ offset, size, crc }: Piece): Promise<Uint8Array> {
    return this.#inTurn(async () => {
      const bytes = Buffer.allocUnsafe(size);
      const handle = await this.#open();
      for (let at = 0; at < size; ) {
        const { bytesRead } = await handle.read(bytes, at, size - at, offset + at);
        if (bytesRead === 0) throw new Error('a result file is shorter than it was');
        at += bytesRead;
      }
      if (crc32(bytes) !== crc) throw new Error('a result file has changed');
      return bytes;
    });
  }

  /** Writes the index, so that the run is found after a restart, of the machine too: all of it is synced, the index last. */
  index(content: string): Promise<void> {
    return this.#inTurn(async () => {
      // Even a run without a piece has a file, so that one without the other is always an orphan.
      const data = await this.#open();
      await data.sync();
      await this.#written(`${this.#path}.tmp`, content);
      await rename(`${this.#path}.tmp`, `${this.#path}.json`);
      await this.#syncFolder();
      await this.#rest();
    });
  }

  async #written(path: string, content: string): Promise<void> {
    const handle = await this.#openFile(path, 'w', 0o600);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  /** The new name is on disk only once its folder is; where folders can't be opened, the system sees to it. */
  async #syncFolder(): Promise<void> {
    if (process.platform === 'win32') return;
    const folder = await this.#openFile(dirname(this.#path), 'r', 0);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  /** Lets go of the open file until it is wanted again. */
  rest(): void {
    void this.#inTurn(() => this.#rest()).catch(() => {});
  }

  /** Deletes all of it; what was asked for before still comes to its end. Idempotent. */
  remove(): void {
    if (this.#removed) return;
    const gone = async (): Promise<void> => {
      await this.#rest();
      for (const ending of ['json', 'tmp', 'data']) await rm(`${this.#path}.${ending}`, { force: true });
    };
    void this.#inTurn(gone).catch(() => {});
    this.#removed = true;
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    if (this.#removed) return Promise.reject(new Error('the run is gone'));
    const done = this.#work.then(step);
    this.#work = done.catch(() => {});
    return done;
  }

  async #open(): Promise<FileHandle> {
    this.#handle ??= await this.#openFile(`${this.#path}.data`, this.#end === 0 ? 'w+' : 'r+', 0o600);
    return this.#handle;
  }

  async #rest(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }
}

async function writeAll(handle: FileHandle, part: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < part.byteLength; ) {
    const { bytesWritten } = await handle.write(part, at, part.byteLength - at, position + at);
    at += bytesWritten;
  }
}
