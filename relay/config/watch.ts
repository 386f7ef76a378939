/**
 * Keeps the Snapshot current: watches the mounted directories and looks again every few seconds, because a watch can
 * be lost (inotify limits, network filesystems). A change that cannot be used leaves the last good one in force.
 */
import { watch, type FSWatcher } from "node:fs";
import type { Log } from "../../runtime/log.ts";
import { ConfigurationReader } from "./files.ts";
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
  readonly #loader = new SnapshotLoader();
  readonly #first = Promise.withResolvers<void>();
  readonly #listeners: ((snapshot: Snapshot) => void)[] = [];
  #snapshot: Snapshot | undefined;
  #fingerprint = "";
  #timer: NodeJS.Timeout | undefined;
  #watcher: FSWatcher | undefined;
  #loading = false;
  /** Something changed since the last read began: what it saw may be old. */
  #changed = false;
  lastError: string | undefined;

  constructor(options: ConfigurationOptions) {
    this.#options = options;
    this.#reader = new ConfigurationReader(options.directory);
    options.stopping.addEventListener("abort", () => this.#stop(), { once: true });
    this.#startWatcher();
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

  #startWatcher(): void {
    try {
      this.#watcher = watch(this.#options.directory, { recursive: true }, () => {
        this.#changed = true;
        this.#schedule(settleMs);
      });
      this.#watcher.on("error", () => this.#loseWatcher());
    } catch {
      // The rescan does the work until the directory can be watched.
      this.#loseWatcher();
    }
  }

  #loseWatcher(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #schedule(delayMs: number): void {
    if (this.#options.stopping.aborted) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#reload(), delayMs);
    this.#timer.unref();
  }

  #reload(): void {
    if (this.#loading) {
      this.#schedule(settleMs);
      return;
    }
    this.#loading = true;
    this.#changed = false;
    this.#read()
      .catch((error: unknown) => this.#fail([String(error)]))
      .finally(() => {
        this.#loading = false;
        if (this.#watcher === undefined) this.#startWatcher();
        this.#schedule(this.#changed ? settleMs : rescanMs);
      })
      .catch((error: unknown) => this.#options.log.error({ error: String(error) }, "configuration rescan failed"));
  }

  async #read(): Promise<void> {
    const files = await this.#reader.read();
    const fingerprint = JSON.stringify([files.relay, files.tls, [...files.shards.values()]]);
    if (fingerprint === this.#fingerprint) return;
    this.#fingerprint = fingerprint;
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
    this.#watcher?.close();
  }
}
