/**
 * One replica of a StatefulSet as a child process: mounts its Secrets as files, starts the relay program, starts it
 * again when it dies. The child ends with its parent, because the channel between them closes with either.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { PodTemplate, Secret } from "../kube/objects.ts";
import { makeDirectory, syncDirectory } from "./files.ts";

/** Where the pod template mounts everything of ours; stands for the pod's own directory here. */
export const containerRoot = "/var/lib/mailboat";
const firstBackoffMs = 1000;
const maxBackoffMs = 30_000;
/** A relay that ran for this long was well: its next death is answered at once again. */
const settledMs = 60_000;
/** What stands between SIGTERM and SIGKILL. */
const graceMs = 4500;

export type PodFields = Readonly<Record<string, unknown>>;

export interface PodObserver {
  /** A JSON line of the relay's log. */
  onLine(pod: string, fields: PodFields): void;
  /** Something that is not a JSON line: a crash says so here. */
  onText(pod: string, text: string): void;
  onExit(pod: string, exit: PodExit): void;
}

export interface PodExit {
  readonly cause: string;
  readonly restartInMs: number;
}

export interface PodPlace {
  /** `<namespace>.<name>-<index>`. */
  readonly pod: string;
  readonly directory: string;
  readonly program: string;
  readonly host: string;
  readonly observer: PodObserver;
  readonly now: () => number;
}

/** What a replica should run with. */
export interface PodIntent {
  readonly template: PodTemplate;
  /** By Secret name; absent ones are empty directories, as optional volumes are. */
  readonly secrets: ReadonlyMap<string, Secret>;
  /** Listener name or `http` -> port. */
  readonly ports: Readonly<Record<string, number>>;
}

type State =
  | { readonly kind: "idle" }
  | { readonly kind: "running"; readonly child: ChildProcess; readonly startedAt: number }
  | { readonly kind: "waiting"; readonly timer: NodeJS.Timeout }
  | { readonly kind: "stopped" };

export class LocalPod {
  readonly #place: PodPlace;
  #intent: PodIntent;
  #state: State = { kind: "idle" };
  #deaths = 0;
  #ready = false;

  constructor(place: PodPlace, intent: PodIntent) {
    this.#place = place;
    this.#intent = intent;
  }

  get ready(): boolean {
    return this.#ready && this.#state.kind === "running";
  }

  get ports(): Readonly<Record<string, number>> {
    return this.#intent.ports;
  }

  /** Makes files and process be as intended; a changed template means a new process, changed Secrets do not. */
  async sync(intent: PodIntent): Promise<void> {
    const before = this.#launch();
    this.#intent = intent;
    await this.#mount();
    if (this.#state.kind === "stopped") return;
    if (this.#state.kind === "running" && before === this.#launch()) return;
    if (this.#state.kind === "running") await this.#terminate(this.#state.child);
    if (this.#state.kind === "waiting") return;
    this.#start();
  }

  /** SIGTERM, and SIGKILL after the grace period. The spool stays. */
  async stop(): Promise<void> {
    const state = this.#state;
    this.#state = { kind: "stopped" };
    if (state.kind === "waiting") clearTimeout(state.timer);
    if (state.kind === "running") await this.#terminate(state.child);
  }

  /** Everything that a running process cannot change. */
  #launch(): string {
    const [container] = this.#intent.template.spec.containers;
    return JSON.stringify([container.args, container.env, this.#intent.ports]);
  }

  async #mount(): Promise<void> {
    const { template, secrets } = this.#intent;
    const [container] = template.spec.containers;
    for (const mount of container.volumeMounts) {
      const path = this.#path(mount.mountPath);
      const volume = template.spec.volumes.find((candidate) => candidate.name === mount.name);
      if (volume === undefined) await makeDirectory(path);
      else await syncDirectory(path, filesOf(secrets.get(volume.secret.secretName)));
    }
  }

  /** A path of the container as a path of this machine. */
  #path(containerPath: string): string {
    return containerPath.startsWith(containerRoot)
      ? join(this.#place.directory, containerPath.slice(containerRoot.length))
      : containerPath;
  }

  #environment(): NodeJS.ProcessEnv {
    const [container] = this.#intent.template.spec.containers;
    return {
      ...process.env,
      ...Object.fromEntries(container.env.map((variable) => [variable.name, this.#path(variable.value)])),
      MAILBOAT_LISTEN_HOST: this.#place.host,
      MAILBOAT_PORTS: JSON.stringify(this.#intent.ports),
    };
  }

  #start(): void {
    const { pod, program, observer, now } = this.#place;
    const [container] = this.#intent.template.spec.containers;
    const child = spawn(process.execPath, [program, ...container.args], {
      env: this.#environment(),
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.#ready = false;
    this.#state = { kind: "running", child, startedAt: now() };
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).on("line", (line) => this.#read(line));
    }
    if (child.stderr !== null) {
      createInterface({ input: child.stderr }).on("line", (line) => observer.onText(pod, line));
    }
    child.once("error", (error) => this.#ended(child, error.message));
    child.once("exit", (code, signal) => this.#ended(child, signal ?? `exit code ${code ?? "unknown"}`));
  }

  #read(line: string): void {
    const fields = parseLine(line);
    if (fields === undefined) {
      this.#place.observer.onText(this.#place.pod, line);
      return;
    }
    if (fields["msg"] === "ready") this.#ready = true;
    this.#place.observer.onLine(this.#place.pod, fields);
  }

  /** At once the first time, then 1 s, doubling up to 30 s: a relay that cannot start must not burn the machine. */
  #ended(child: ChildProcess, cause: string): void {
    const state = this.#state;
    if (state.kind !== "running" || state.child !== child) return;
    this.#ready = false;
    if (this.#place.now() - state.startedAt > settledMs) this.#deaths = 0;
    const restartInMs = this.#deaths === 0 ? 0 : Math.min(maxBackoffMs, firstBackoffMs * 2 ** (this.#deaths - 1));
    this.#deaths += 1;
    const timer = setTimeout(() => {
      this.#state = { kind: "idle" };
      this.#start();
    }, restartInMs);
    this.#state = { kind: "waiting", timer };
    this.#place.observer.onExit(this.#place.pod, { cause, restartInMs });
  }

  async #terminate(child: ChildProcess): Promise<void> {
    if (this.#state.kind === "running") this.#state = { kind: "idle" };
    this.#ready = false;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
    await exited;
    clearTimeout(timer);
  }
}

function filesOf(secret: Secret | undefined): Record<string, Buffer> {
  return Object.fromEntries(
    Object.entries(secret?.data ?? {}).map(([name, value]) => [name, Buffer.from(value, "base64")]),
  );
}

function parseLine(line: string): PodFields | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

