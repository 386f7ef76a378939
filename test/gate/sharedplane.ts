/**
 * A control plane that test files use one after the other: starting one takes longer than many a file. Each file finds it as it was
 * when it started: between two of them all that was made is taken away. Two files never use one at the same time, because an
 * operator that watches the whole cluster, as most are tested, would see the objects of the other's. One that a failed file has used,
 * or that is not as it was, is stopped, its logs stay, and the next file gets another.
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { handover, type OwnControlPlane, startControlPlane } from "../support/controlplane/controlplane.ts";
import { applyDefinitions } from "../support/controlplane/definitions.ts";
import { Snapshot } from "../support/controlplane/snapshot.ts";
import { repositoryRoot } from "../support/results.ts";
import type { Say } from "./provide.ts";

/** Whatever an operator or a stand-in for pods follows. */
const watched = ["namespaces", "mailrelays", "senderdomains", "secrets", "statefulsets", "pods", "services"];

interface Running {
  readonly plane: OwnControlPlane;
  readonly snapshot: Snapshot;
  readonly directory: string;
  readonly factsFile: string;
}

/** Makes one that was just started what files expect, and says how it is then. */
export type Prepare = (plane: OwnControlPlane) => Promise<Snapshot>;

export class SharedPlane {
  readonly #name: string;
  readonly #say: Say;
  readonly #prepare: Prepare;
  #started = 0;
  #running: Running | undefined;

  /** Nothing runs before the first file. */
  constructor(name: string, say: Say, prepare: Prepare = withDefinitions) {
    this.#name = name;
    this.#say = say;
    this.#prepare = prepare;
  }

  /** Arguments for the next test file. @throws When none can be started. */
  async hand(): Promise<readonly string[]> {
    this.#running ??= await this.#start();
    return handover(this.#running.factsFile);
  }

  /** After a file. */
  async takeBack(hasFailed: boolean): Promise<void> {
    if (this.#running === undefined) return;
    const why = hasFailed ? "a file failed on it" : await whyNotAsItWas(this.#running);
    if (why === undefined) return;
    this.#say(`${this.#name} is replaced: ${why}; logs are in ${this.#running.directory}`);
    await this.#stop();
  }

  async close(): Promise<void> {
    const directory = this.#running?.directory;
    await this.#stop();
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  }

  async #stop(): Promise<void> {
    const running = this.#running;
    // One that does not stop is not handed on either.
    this.#running = undefined;
    await running?.plane.stop();
  }

  async #start(): Promise<Running> {
    this.#started += 1;
    const directory = join(repositoryRoot, "test-results", `${this.#name}-${this.#started}`);
    rmSync(directory, { recursive: true, force: true });
    const plane = await startControlPlane(directory);
    try {
      const snapshot = await this.#prepare(plane);
      const factsFile = join(directory, "facts.json");
      writeFileSync(factsFile, JSON.stringify(plane.facts));
      return { plane, directory, factsFile, snapshot };
    } catch (error) {
      // Nobody else knows of it: its programs would run on beside the next one's.
      await plane.stop();
      throw error;
    }
  }
}

async function withDefinitions(plane: OwnControlPlane): Promise<Snapshot> {
  applyDefinitions(plane);
  return Snapshot.take(plane.etcd);
}

/** Undefined once it is as it was. */
async function whyNotAsItWas({ plane, snapshot }: Running): Promise<string | undefined> {
  try {
    const changed = await snapshot.restore();
    if (changed.length > 0) return `a file changed ${changed.join(", ")}`;
    // A list comes from a cache of the server that has caught up with etcd.
    plane.kubectl(["get", watched.join(","), "--all-namespaces", "--chunk-size=0", "--output=name"]);
    return undefined;
  } catch (error) {
    return String(error);
  }
}
