/**
 * Bodies of messages while they are received, and the files of the large ones.
 *
 * Up to the inline limit a body stays in memory and is committed with its message. A larger one is streamed to a file
 * that is synced, and its directory with it, before the message is committed: a committed message always has its body.
 * Where all receptions together hold as much memory as they may, a small body goes to a file as well: many clients at once cost
 * time and not memory. A file grows only while there is room: what is left of the disk is for outcomes.
 */
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rename, stat, unlink, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../../../runtime/log.ts";
import { Octets } from "../../../runtime/octets.ts";
import type { DiskFaults } from "./disk/faults.ts";
import type { SpoolId } from "../message/id.ts";
import type { Body } from "../message/message.ts";
import { SpoolFullError, type BodyWriter } from "../verbs.ts";
import { recoverBodies, type CommittedBodies } from "./recover.ts";

export const inlineLimitBytes = 256 * 1024;
/** Of all bodies that are being received, until they are committed: 128 clients that send as much as fits inline. */
export const receptionMemoryBytes = 32 * 1024 * 1024;

export interface BodyFilesOptions {
  readonly directory: string;
  /** Asked before a file grows. */
  readonly hasRoom: () => boolean;
  /** Told of each growth of a file. */
  readonly onWritten: (bytes: number) => void;
  readonly faults?: DiskFaults | undefined;
}

export class BodyFiles {
  readonly #options: BodyFilesOptions;
  readonly #directory: string;
  readonly #quarantine: string;
  readonly #sizes = new Map<SpoolId, number>();
  #totalBytes = 0;
  /** Bodies in memory, by message; until ended(). */
  readonly #held = new Map<SpoolId, number>();
  #heldBytes = 0;

  constructor(options: BodyFilesOptions) {
    this.#options = options;
    this.#directory = join(options.directory, "bodies");
    this.#quarantine = join(options.directory, "quarantine");
  }

  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** Of bodies that are being received or wait for their commit. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Brings the folder in line with what is committed. Unknown files are moved aside, never deleted. */
  async recover(committed: CommittedBodies, log: Log): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    for (const action of recoverBodies(await readdir(this.#directory), committed)) {
      if (action.kind === "discard") await this.#discard(action.name, log);
      if (action.kind === "missing") log.error({ spoolId: action.id }, "body file is missing");
      if (action.kind === "quarantine") await this.#moveAside(action.name, log);
    }
    for (const id of committed.ids) {
      const size = await stat(join(this.#directory, id)).then(
        (found) => found.size,
        () => 0,
      );
      this.#grow(id, size);
    }
  }

  writer(id: SpoolId): BodyWriter {
    const { hasRoom, onWritten, faults } = this.#options;
    return new SpoolBodyWriter({
      create: async () => open(join(this.#directory, id), "wx", 0o600),
      write: async (handle, bytes) => {
        if (!hasRoom()) throw new SpoolFullError("there is no room for more of the body");
        faults?.strike("bodyWrite");
        await writeAll(handle, bytes);
        this.#grow(id, bytes.length);
        onWritten(bytes.length);
      },
      sync: async (handle) => {
        faults?.strike("bodySync");
        await handle.sync();
      },
      syncDirectory: async () => {
        faults?.strike("directorySync");
        await syncDirectory(this.#directory);
      },
      created: () => this.#grow(id, 0),
      remove: async () => this.remove(id),
      hold: (bytes) => this.#hold(id, bytes),
      letGo: () => this.ended(id),
    });
  }

  /** The body of this message is in memory for its reception no more: it is in a file, committed, or thrown away. */
  ended(id: SpoolId): void {
    this.#heldBytes -= this.#held.get(id) ?? 0;
    this.#held.delete(id);
  }

  /** False when all receptions together hold more than they may. */
  #hold(id: SpoolId, bytes: number): boolean {
    this.#held.set(id, (this.#held.get(id) ?? 0) + bytes);
    this.#heldBytes += bytes;
    return this.#heldBytes <= receptionMemoryBytes;
  }

  read(id: SpoolId): NodeJS.ReadableStream {
    return createReadStream(join(this.#directory, id));
  }

  /** Removes the file of a body, if it has one; one that is already gone is fine. */
  async remove(id: SpoolId): Promise<void> {
    const size = this.#sizes.get(id);
    if (size === undefined) return;
    this.#options.faults?.strike("bodyRemove");
    await unlink(join(this.#directory, id)).catch((error: unknown) => {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    });
    // Not before: the room of a file that could not be removed is still taken.
    this.#sizes.delete(id);
    this.#totalBytes -= size;
  }

  /** A file that cannot be removed stays where it is: it is no reason not to open. */
  async #discard(name: string, log: Log): Promise<void> {
    try {
      this.#options.faults?.strike("bodyRemove");
      await unlink(join(this.#directory, name));
    } catch (error) {
      log.error({ file: name, error: String(error) }, "could not discard a body that was never acknowledged");
    }
  }

  /** A file that cannot be moved stays where it is and stands in nobody's way. */
  async #moveAside(name: string, log: Log): Promise<void> {
    try {
      this.#options.faults?.strike("quarantine");
      await mkdir(this.#quarantine, { recursive: true });
      await rename(join(this.#directory, name), join(this.#quarantine, name));
      log.error({ file: name }, "unknown file moved to quarantine");
    } catch (error) {
      log.error({ file: name, error: String(error) }, "could not move an unknown file to quarantine");
    }
  }

  #grow(id: SpoolId, bytes: number): void {
    this.#sizes.set(id, (this.#sizes.get(id) ?? 0) + bytes);
    this.#totalBytes += bytes;
  }
}

interface BodyFile {
  create(): Promise<FileHandle>;
  created(): void;
  /** Rejects when there is no room. */
  write(handle: FileHandle, bytes: Buffer): Promise<void>;
  sync(handle: FileHandle): Promise<void>;
  syncDirectory(): Promise<void>;
  remove(): Promise<void>;
  /** Counts octets that are kept in memory; false when that is more than receptions may hold together. */
  hold(bytes: number): boolean;
  letGo(): void;
}

class SpoolBodyWriter implements BodyWriter {
  readonly #file: BodyFile;
  readonly #octets = new Octets();
  #handle: FileHandle | undefined;
  #hasFile = false;
  #sizeBytes = 0;
  /** To the file; settled when the last octets are written. */
  #writing: Promise<void> | undefined;

  constructor(file: BodyFile) {
    this.#file = file;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  async write(chunk: Buffer): Promise<void> {
    this.#sizeBytes += chunk.length;
    if (this.#handle === undefined) {
      this.#octets.push(chunk);
      const mayHold = this.#file.hold(chunk.length);
      if (mayHold && this.#sizeBytes <= inlineLimitBytes) return;
      this.#writing = this.#moveToFile();
    } else this.#writing = this.#file.write(this.#handle, chunk);
    await this.#writing;
  }

  async #moveToFile(): Promise<void> {
    const handle = await this.#file.create();
    this.#handle = handle;
    this.#hasFile = true;
    this.#file.created();
    await this.#file.write(handle, this.#octets.take());
    this.#file.letGo();
  }

  async finish(): Promise<Body> {
    const handle = this.#handle;
    if (handle === undefined) return { kind: "inline", bytes: this.#octets.take() };
    await this.#file.sync(handle);
    await handle.close();
    this.#handle = undefined;
    // The name must be as durable as the bytes, or a crash leaves a committed message without its body.
    await this.#file.syncDirectory();
    return { kind: "file", sizeBytes: this.#sizeBytes };
  }

  async abort(): Promise<void> {
    this.#octets.clear();
    this.#file.letGo();
    // Who goes in the middle of a write leaves it to us: its file may not even be there yet.
    await this.#writing?.catch(() => undefined);
    const handle = this.#handle;
    this.#handle = undefined;
    try {
      await handle?.close();
    } finally {
      // A file that was there before is the body of a message that was committed under this id.
      if (this.#hasFile) await this.#file.remove();
    }
  }
}

async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const result = await handle.write(bytes, written);
    written += result.bytesWritten;
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
