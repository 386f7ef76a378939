/**
 * Keeps the Snapshot current: watches the mounted directories and looks again every few seconds, because a watch can
 * be lost (inotify limits, network filesystems). A change that cannot be used leaves the last good one in force.
 */
import { join } from "node:path";
import { peerDirectory } from "../../api/administration.ts";
import {
  configurationDirectory,
  domainsDirectory,
  shardCount,
  shardName,
  tlsDirectory,
} from "../../api/relayconfig.ts";
import type { Log } from "../../runtime/log.ts";
import { DirectoryWatch } from "./directorywatch.ts";
import { ConfigurationReader, type ConfigurationFiles } from "./files.ts";
import { SnapshotLoader } from "./load.ts";
import type { Snapshot, SnapshotSource } from "./snapshot.ts";

export interface ConfigurationOptions {
  readonly directory: string;
  readonly log: Log;
  readonly onLoad: (result: "success" | "failure") => void;
  /** Aborted when the process stops. */
  readonly stopping: AbortSignal;
}

const settleMs = 30;
const rescanMs = 5_000;

/** Resolves with the first usable configuration; until there is one it logs what is wrong and waits. */
export async function watchConfiguration(options: ConfigurationOptions): Promise<SnapshotSource> {
  const source = new WatchedConfiguration(options);
  await source.first;
  return source;
}

class WatchedConfiguration implements SnapshotSource {
  readonly #options: ConfigurationOptions;
  readonly #reader: ConfigurationReader;
  readonly #watch: DirectoryWatch;
  readonly #loader = new SnapshotLoader();
  readonly #first = Promise.withResolvers<void>();
  readonly #listeners: ((snapshot: Snapshot) => void)[] = [];
  #snapshot: Snapshot | undefined;
  #files: ConfigurationFiles | undefined;
  #timer: NodeJS.Timeout | undefined;
  #loading = false;
  /** Something changed since the last read began: what it saw may be old. */
  #changed = false;
  lastError: string | undefined;

  constructor(options: ConfigurationOptions) {
    this.#options = options;
    this.#reader = new ConfigurationReader(options.directory);
    this.#watch = new DirectoryWatch(directoriesOf(options.directory), () => {
      this.#changed = true;
      this.#schedule(settleMs);
    });
    options.stopping.addEventListener("abort", () => this.#stop(), { once: true });
    this.#schedule(0);
  }

  get first(): Promise<void> {
    return this.#first.promise;
  }

  current(): Snapshot {
    if (this.#snapshot === undefined) throw new Error("the configuration is not loaded yet");
    return this.#snapshot;
  }

  onChange(listener: (snapshot: Snapshot) => void): void {
    this.#listeners.push(listener);
  }

  #schedule(delayMs: number): void {
    if (this.#options.stopping.aborted) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#reload(), delayMs);
    // Until there is a configuration, waiting for one is all that keeps the process.
    if (this.#snapshot !== undefined) this.#timer.unref();
  }

  #reload(): void {
    if (this.#loading) {
      this.#schedule(settleMs);
      return;
    }
    this.#loading = true;
    this.#changed = false;
    this.#watch.renew();
    this.#read()
      .catch((error: unknown) => this.#fail([String(error)]))
      .finally(() => {
        this.#loading = false;
        this.#schedule(this.#changed ? settleMs : rescanMs);
      })
      .catch((error: unknown) => this.#options.log.error({ error: String(error) }, "configuration rescan failed"));
  }

  async #read(): Promise<void> {
    const files = await this.#reader.read();
    if (files === this.#files) return;
    this.#files = files;
    const { snapshot, errors } = this.#loader.load(files);
    if (errors.length > 0) this.#fail(errors);
    else this.#succeed(snapshot);
    if (snapshot === undefined) return;
    this.#snapshot = snapshot;
    this.#first.resolve();
    for (const listener of this.#listeners) listener(snapshot);
  }

  #succeed(snapshot: Snapshot | undefined): void {
    this.lastError = undefined;
    this.#options.onLoad("success");
    this.#options.log.info(
      {
        revision: snapshot?.revision,
        domains: snapshot?.domains.size,
        certificate: snapshot?.certificate?.fingerprint,
      },
      "configuration loaded",
    );
  }

  #fail(errors: readonly string[]): void {
    this.lastError = errors.join("; ");
    this.#options.onLoad("failure");
    this.#options.log.error({ error: this.lastError }, "configuration refused, the last good one stays in force");
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#watch.close();
  }
}

function directoriesOf(root: string): readonly string[] {
  const domains = join(root, domainsDirectory);
  const shards = Array.from({ length: shardCount }, (_, index) => join(domains, shardName(index)));
  const mounts = [configurationDirectory, tlsDirectory, peerDirectory].map((name) => join(root, name));
  return [root, ...mounts, domains, ...shards];
}
