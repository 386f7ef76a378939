/**
 * Bodies of messages while they are received, and the files of the large ones.
 *
 * Up to the inline limit a body stays in memory and is committed with its message. A larger one is streamed to a file
 * that is synced, and its directory with it, before the message is committed: a committed message always has its body.
 */
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rename, stat, unlink, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../../runtime/log.ts";
import type { Body, SpoolId } from "./entry.ts";
import { recoverBodies } from "./recover.ts";
import type { BodyWriter } from "./spool.ts";

export const inlineLimitBytes = 256 * 1024;

export class BodyFiles {
  readonly #directory: string;
  readonly #quarantine: string;
  readonly #sizes = new Map<SpoolId, number>();
  #totalBytes = 0;

  constructor(spoolDirectory: string) {
    this.#directory = join(spoolDirectory, "bodies");
    this.#quarantine = join(spoolDirectory, "quarantine");
  }

  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** Brings the folder in line with what is committed. Unknown files are moved aside, never deleted. */
  async recover(committed: readonly SpoolId[], log: Log): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    for (const action of recoverBodies(await readdir(this.#directory), new Set(committed))) {
      if (action.kind === "discard") await unlink(join(this.#directory, action.name));
      if (action.kind === "missing") log.error({ spoolId: action.id }, "body file is missing");
      if (action.kind === "quarantine") {
        await mkdir(this.#quarantine, { recursive: true });
        await rename(join(this.#directory, action.name), join(this.#quarantine, action.name));
        log.error({ file: action.name }, "unknown file moved to quarantine");
      }
    }
    for (const id of committed) {
      const size = await stat(join(this.#directory, id)).then(
        (found) => found.size,
        () => 0,
      );
      this.#grow(id, size);
    }
  }

  writer(id: SpoolId): BodyWriter {
    return new SpoolBodyWriter({
      create: async () => open(join(this.#directory, id), "wx", 0o600),
      syncDirectory: async () => syncDirectory(this.#directory),
      grow: (bytes) => this.#grow(id, bytes),
      remove: async () => this.remove(id),
    });
  }

  read(id: SpoolId): NodeJS.ReadableStream {
    return createReadStream(join(this.#directory, id));
  }

  /** Removes the file of a body, if it has one; one that is already gone is fine. */
  async remove(id: SpoolId): Promise<void> {
    const size = this.#sizes.get(id);
    if (size === undefined) return;
    this.#sizes.delete(id);
    this.#totalBytes -= size;
    await unlink(join(this.#directory, id)).catch((error: unknown) => {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    });
  }

  #grow(id: SpoolId, bytes: number): void {
    this.#sizes.set(id, (this.#sizes.get(id) ?? 0) + bytes);
    this.#totalBytes += bytes;
  }
}

interface BodyFile {
  create(): Promise<FileHandle>;
  syncDirectory(): Promise<void>;
  grow(bytes: number): void;
  remove(): Promise<void>;
}

class SpoolBodyWriter implements BodyWriter {
  readonly #file: BodyFile;
  #chunks: Buffer[] = [];
  #handle: FileHandle | undefined;
  #hasFile = false;
  #sizeBytes = 0;

  constructor(file: BodyFile) {
    this.#file = file;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  async write(chunk: Buffer): Promise<void> {
    this.#sizeBytes += chunk.length;
    if (this.#handle === undefined) {
      this.#chunks.push(chunk);
      if (this.#sizeBytes <= inlineLimitBytes) return;
      this.#handle = await this.#file.create();
      this.#hasFile = true;
      this.#file.grow(0);
      const held = this.#chunks;
      this.#chunks = [];
      await this.#append(this.#handle, Buffer.concat(held));
      return;
    }
    await this.#append(this.#handle, chunk);
  }

  async #append(handle: FileHandle, bytes: Buffer): Promise<void> {
    let written = 0;
    while (written < bytes.length) {
      const result = await handle.write(bytes, written);
      written += result.bytesWritten;
    }
    this.#file.grow(bytes.length);
  }

  async finish(): Promise<Body> {
    const handle = this.#handle;
    if (handle === undefined) {
      const [only] = this.#chunks;
      const bytes = this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks);
      return { kind: "inline", bytes };
    }
    await handle.sync();
    await handle.close();
    this.#handle = undefined;
    // The name must be as durable as the bytes, or a crash leaves a committed message without its body.
    await this.#file.syncDirectory();
    return { kind: "file", sizeBytes: this.#sizeBytes };
  }

  async abort(): Promise<void> {
    this.#chunks = [];
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
    // A file that was there before is the body of a message that was committed under this id.
    if (this.#hasFile) await this.#file.remove();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
