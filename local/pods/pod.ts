/**
 * One replica of a StatefulSet as a child process: mounts its Secrets as files, starts the relay program, starts it
 * again when it dies. The child ends with its parent, because the channel between them closes with either.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { ContainerPort, PodTemplate, Secret } from "../../operator/kube/objects.ts";
import { parentMessage, type ParentMessage } from "../../api/parentmessage.ts";
import { makeDirectory, syncDirectory } from "../files.ts";

/** Where the pod template mounts everything of ours; stands for the pod's own directory here. */
export const containerRoot = "/var/lib/mailboat";
const firstBackoffMs = 1000;
const maxBackoffMs = 30_000;
/** A relay that ran for this long was well: its next death is answered at once again. */
const settledMs = 60_000;
/** What a stopping relay gives messages in flight: a person waits for it. */
const stopDeadlineMs = 3000;
/** What stands between SIGTERM and SIGKILL. */
const graceMs = 4500;

export type PodFields = Readonly<Record<string, unknown>>;

export interface PodObserver {
  /** A JSON line of the relay's log. */
  onLine(pod: string, fields: PodFields): void;
  /** Something that is not a JSON line: a crash says so here. */
  onText(pod: string, text: string): void;
  /** What the relay tells whoever started it, and no log. */
  onTold(pod: string, message: ParentMessage): void;
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
  readonly logLevel: string;
  /** Where the relay's compiled code is kept between starts. */
  readonly compileCache: string;
  readonly observer: PodObserver;
  /** Free ports for what the container names; asked before each start. */
  readonly choosePorts: (ports: readonly ContainerPort[]) => Promise<PodPorts>;
  readonly now: () => number;
}

/** What a replica should run with. */
export interface PodIntent {
  readonly template: PodTemplate;
  /** By Secret name; absent ones are empty directories, as optional volumes are. */
  readonly secrets: ReadonlyMap<string, Secret>;
}

/** Listener name or `http` -> port. */
export type PodPorts = Readonly<Record<string, number>>;

type State =
  | { readonly kind: "idle" }
  | { readonly kind: "starting" }
  | { readonly kind: "running"; readonly child: ChildProcess; readonly startedAt: number }
  | { readonly kind: "waiting"; readonly timer: NodeJS.Timeout }
  | { readonly kind: "stopped" };

export class LocalPod {
  readonly #place: PodPlace;
  #intent: PodIntent;
  #state: State = { kind: "idle" };
  #deaths = 0;
  #ready = false;
  #ports: PodPorts = {};

  constructor(place: PodPlace, intent: PodIntent) {
    this.#place = place;
    this.#intent = intent;
  }

  get ready(): boolean {
    return this.#ready && this.#state.kind === "running";
  }

  /** Those of the newest start; none before the first. */
  get ports(): PodPorts {
    return this.#ports;
  }

  /** Makes files and process be as intended; a changed template means a new process, changed Secrets do not. */
  async sync(intent: PodIntent): Promise<void> {
    const before = this.#launch();
    this.#intent = intent;
    await this.#mount();
    if (this.#state.kind === "stopped") return;
    if (this.#state.kind === "running" && before === this.#launch()) return;
    if (this.#state.kind === "running") await this.#terminate(this.#state.child);
    // A start that is due or under way takes the newest intent.
    if (this.#state.kind === "waiting" || this.#state.kind === "starting") return;
    await this.#start();
  }

  /** SIGTERM, and SIGKILL after the grace period. The spool stays. */
  async stop(): Promise<void> {
    const state = this.#state;
    this.#state = { kind: "stopped" };
    if (state.kind === "waiting") clearTimeout(state.timer);
    if (state.kind === "running") await this.#terminate(state.child);
  }

  isStopped(): boolean {
    return this.#state.kind === "stopped";
  }

  /** Everything that a running process cannot change. */
  #launch(): string {
    const [container] = this.#intent.template.spec.containers;
    return JSON.stringify([container.args, container.env, container.ports]);
  }

  async #mount(): Promise<void> {
    const { template, secrets } = this.#intent;
    const [container] = template.spec.containers;
    for (const mount of container.volumeMounts) {
      const path = this.#path(mount.mountPath);
      const volume = template.spec.volumes.find((candidate) => candidate.name === mount.name);
      // An empty volume is the machine's own temporary directory here.
      if (volume !== undefined && !("secret" in volume)) continue;
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
      NODE_COMPILE_CACHE: this.#place.compileCache,
      // Hops are shown in the terminal and on the page.
      MAILBOAT_SPAN_LINES: "1",
      MAILBOAT_LOG_LEVEL: this.#place.logLevel,
      MAILBOAT_STOP_DEADLINE_MS: String(stopDeadlineMs),
      MAILBOAT_PORTS: JSON.stringify(this.#ports),
    };
  }

  async #start(): Promise<void> {
    const { pod, program, observer, now } = this.#place;
    this.#state = { kind: "starting" };
    this.#ports = await this.#place.choosePorts(this.#intent.template.spec.containers[0].ports);
    if (this.isStopped()) return;
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
    child.on("message", (told: unknown) => {
      const message = parentMessage.safeParse(told).data;
      if (message !== undefined) observer.onTold(pod, message);
    });
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
    const { pod, observer } = this.#place;
    const state = this.#state;
    if (state.kind !== "running" || state.child !== child) return;
    this.#ready = false;
    if (this.#place.now() - state.startedAt > settledMs) this.#deaths = 0;
    const restartInMs = this.#deaths === 0 ? 0 : Math.min(maxBackoffMs, firstBackoffMs * 2 ** (this.#deaths - 1));
    this.#deaths += 1;
    const timer = setTimeout(() => {
      this.#state = { kind: "idle" };
      this.#start().catch((error: unknown) => observer.onText(pod, `could not be started: ${String(error)}`));
    }, restartInMs);
    this.#state = { kind: "waiting", timer };
    observer.onExit(pod, { cause, restartInMs });
  }

  async #terminate(child: ChildProcess): Promise<void> {
    const knowsItsParent = this.#ready;
    if (this.#state.kind === "running") this.#state = { kind: "idle" };
    this.#ready = false;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    // Ctrl-C has reached a child in our process group already, and a second signal would end it at once: the closed
    // channel asks for the same and can be said twice. One that is still starting does not listen to it yet.
    if (knowsItsParent && child.connected) child.disconnect();
    else child.kill("SIGTERM");
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
