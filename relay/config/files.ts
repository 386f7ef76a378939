/**
 * The mounted configuration as texts. A directory is read again only when it changed: the kubelet swaps the link `..data`,
 * local mode renames files into place, and both touch the directory.
 */
import { readFile, readdir, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import { peerDirectory } from "../../api/administration.ts";
import {
  configurationDirectory,
  domainsDirectory,
  relayDocumentName,
  shardCount,
  shardName,
  tlsDirectory,
} from "../../api/relayconfig.ts";

/** File name to text; empty when the optional volume is absent. */
export type Files = Readonly<Record<string, string>>;

export interface ConfigurationFiles {
  readonly relay: string | undefined;
  readonly tls: Files;
  readonly peer: Files;
  /** By shard name; the same object as before when the directory did not change. */
  readonly shards: ReadonlyMap<string, Files>;
}

interface Seen {
  readonly stamp: string;
  readonly files: Files;
}

export class ConfigurationReader {
  readonly #root: string;
  readonly #seen = new Map<string, Seen>();
  #files: ConfigurationFiles | undefined;

  constructor(root: string) {
    this.#root = root;
  }

  /** The same object as before when nothing changed. Rejects only when a directory that exists cannot be read. */
  async read(): Promise<ConfigurationFiles> {
    const configuration = await this.#directory(configurationDirectory);
    const shards = new Map<string, Files>();
    for (let index = 0; index < shardCount; index += 1) {
      const name = shardName(index);
      shards.set(name, await this.#directory(join(domainsDirectory, name)));
    }
    const tls = await this.#directory(tlsDirectory);
    const peer = await this.#directory(peerDirectory);
    this.#files ??= { relay: configuration[relayDocumentName], tls, peer, shards };
    return this.#files;
  }

  async #directory(name: string): Promise<Files> {
    const path = join(this.#root, name);
    const stamp = await stampOf(path);
    const seen = this.#seen.get(name);
    if (seen?.stamp === stamp) return seen.files;
    const files = stamp === "absent" ? {} : await readFiles(path);
    // The kubelet swaps a volume also when nothing in it is new.
    const isSame = seen !== undefined && JSON.stringify(seen.files) === JSON.stringify(files);
    const kept = isSame ? seen.files : files;
    if (!isSame) this.#files = undefined;
    this.#seen.set(name, { stamp, files: kept });
    return kept;
  }
}

async function stampOf(path: string): Promise<string> {
  try {
    const found = await stat(path, { bigint: true });
    const link = await readlink(join(path, "..data")).catch(() => "");
    return `${found.ino}:${found.mtimeNs}:${link}`;
  } catch (error) {
    if (isAbsent(error)) return "absent";
    throw error;
  }
}

async function readFiles(path: string): Promise<Files> {
  const names = (await readdir(path)).filter((name) => !name.startsWith(".")).sort();
  const files: Record<string, string> = {};
  for (const name of names) {
    try {
      files[name] = await readFile(join(path, name), "utf8");
    } catch (error) {
      // Swapped away between the listing and the read: the directory's stamp has changed and it is read again.
      if (!isAbsent(error)) throw error;
    }
  }
  return files;
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}
