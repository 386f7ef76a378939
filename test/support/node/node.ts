/**
 * A whole Kubernetes node of the test's own: real etcd, API server, controllers, scheduler, kubelet, kube-proxy, containerd
 * and CoreDNS in one network namespace. It ends with the test process, however that ends.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Program } from "../program.ts";
import { until } from "../until.ts";
import { copyLogs, writeNodeFiles, writeZone } from "./configuration.ts";
import { provideImages } from "./images.ts";
import { cgroupPlaces, nodePrefix, ownerFile, removeLeftovers, removeTraces } from "./leftovers.ts";
import { nodeName, type NodePaths, type NodePlan, pathsOf } from "./plan.ts";
import { provideNode } from "./programs.ts";

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly deadlineMs?: number;
}

export class Node {
  readonly plan: NodePlan;
  readonly paths: NodePaths;
  readonly #program: Program;
  #volumes = 0;

  private constructor(plan: NodePlan, program: Program) {
    this.plan = plan;
    this.paths = pathsOf(plan.directory);
    this.#program = program;
  }

  /** Resolves when the node is Ready and has its images. What a killed run left behind is removed first. */
  static async start(say: (line: string) => void = () => {}): Promise<Node> {
    for (const leftover of await removeLeftovers()) say(`removed what a killed run left: ${leftover}`);
    const programs = await provideNode(say);
    const images = provideImages(programs.pause, say);
    const directory = mkdtempSync(join(tmpdir(), nodePrefix));
    const plan: NodePlan = { directory, id: basename(directory), programs };
    await writeNodeFiles(plan);
    for (const place of cgroupPlaces()) mkdirSync(join(place, plan.id), { recursive: true });
    // Killed with this process: by the kernel when this one is killed, and then everything inside by the namespace.
    const parts = [
      "--net",
      "--pid",
      "--mount",
      "--fork",
      "--kill-child=SIGKILL",
      "--mount-proc",
      "--propagation",
      "private",
    ];
    const inside = [process.execPath, join(import.meta.dirname, "inside.ts"), directory];
    const command = ["setpriv", "--pdeathsig", "KILL", "unshare", ...parts, ...inside];
    const program = new Program({ command, logFile: join(pathsOf(directory).logs, "node.txt") });
    writeFileSync(ownerFile(directory), String(program.pid));
    const node = new Node(plan, program);
    try {
      await program.waitFor("a started node", (line) => line === "node started", 120_000);
      await node.importImage(images.pause);
      await node.importImage(images.debian);
      await node.#untilReady();
    } catch (error) {
      const logs = readdirSync(node.paths.logs).map((file) => tailOf(join(node.paths.logs, file)));
      await node.stop();
      throw new Error(`the node did not start: ${String(error)}\n${logs.join("\n")}`, { cause: error });
    }
    return node;
  }

  /** Runs a program in the node's network. Resolves whatever its exit code. */
  async run(
    command: readonly string[],
    { input = "", env = {}, deadlineMs = 120_000 }: CommandOptions = {},
  ): Promise<CommandResult> {
    const [program = "", ...args] = [...this.wrapper(), ...command];
    const child = spawn(program, args, { env: { ...process.env, ...env }, timeout: deadlineMs });
    const parts = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    child.stdout.on("data", (chunk: Buffer) => parts.stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => parts.stderr.push(chunk));
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
    const code = await promise;
    const [stdout, stderr] = [parts.stdout, parts.stderr].map((chunks) => Buffer.concat(chunks).toString("utf8"));
    return { code, stdout: stdout ?? "", stderr: stderr ?? "" };
  }

  /** Put before a command that is to run in the node's network. */
  wrapper(): readonly string[] {
    return ["nsenter", `--net=/proc/${this.#insidePid()}/ns/net`];
  }

  /** Returns what it printed. Throws with what it printed as an error. */
  async kubectl(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    const cache = ["--cache-dir", join(this.plan.directory, "kubectl-cache")];
    const command = [this.plan.programs.kubectl, "--kubeconfig", this.kubeconfig, ...cache, ...args];
    const { code, stdout, stderr } = await this.run(command, options);
    if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}${stdout}`);
    return stdout;
  }

  get kubeconfig(): string {
    return this.paths.kubeconfig("admin");
  }

  /** The process of the node: it lives as long as this one. */
  get pid(): number {
    return this.#program.pid;
  }

  async apply(...objects: readonly object[]): Promise<void> {
    const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
    await this.kubectl(["apply", "--server-side", "-f", "-"], { input: list });
  }

  /** The object, or undefined when it is not there. */
  async get<T>(kind: string, namespace: string, name: string): Promise<T | undefined> {
    const text = await this.kubectl(["get", kind, name, "--namespace", namespace, "--ignore-not-found", "-o", "json"]);
    return text === "" ? undefined : (JSON.parse(text) as T);
  }

  async importImage(archive: string): Promise<void> {
    await this.#ctr(["images", "import", archive]);
  }

  /** Another name of an image that is here: pods that name it need no registry. */
  async tagImage(image: string, name: string): Promise<void> {
    await this.#ctr(["images", "tag", image, name]);
  }

  /** Kill -9 of what runs in a pod, from outside: its first process hears none from inside. The kubelet starts it again. */
  async killContainer(namespace: string, pod: string): Promise<void> {
    const path = "jsonpath={.status.containerStatuses[0].containerID}";
    const id = await this.kubectl(["get", "pod", pod, "--namespace", namespace, "-o", path]);
    await this.#ctr(["tasks", "kill", "--signal", "SIGKILL", id.replace("containerd://", "")]);
  }

  async #ctr(args: readonly string[]): Promise<void> {
    const place = ["--address", this.paths.containerdSocket, "--namespace", "k8s.io"];
    const { code, stderr } = await this.run([this.plan.programs.ctr, ...place, ...args]);
    if (code !== 0) throw new Error(`ctr ${args.join(" ")}: ${stderr}`);
  }

  /** Volumes for claims that name no StorageClass. */
  async addVolumes(count: number): Promise<void> {
    const volumes = Array.from({ length: count }, () => {
      this.#volumes += 1;
      const name = `volume-${this.#volumes}`;
      const path = join(this.paths.volumes, name);
      mkdirSync(path, { recursive: true });
      return volumeAt(name, path);
    });
    await this.apply(...volumes);
  }

  /** What the node's DNS answers beside the names of the cluster; all of it, each time. Returns the serial. */
  setRecords(records: readonly string[]): number {
    return writeZone(this.paths, records);
  }

  /** Logs of all programs and pods, events and objects, for a person. */
  async collect(to: string): Promise<void> {
    mkdirSync(to, { recursive: true });
    copyLogs(this.plan.directory, join(to, "programs"));
    const kinds =
      "nodes,pods,events,deployments,statefulsets,services,endpointslices,persistentvolumeclaims,persistentvolumes";
    const ours = "mailrelays,senderdomains";
    for (const [name, args] of [
      ["objects.yaml", ["get", kinds, "--all-namespaces", "-o", "yaml"]],
      ["mailboat.yaml", ["get", ours, "--all-namespaces", "-o", "yaml"]],
      ["events.txt", ["get", "events", "--all-namespaces", "--sort-by=.metadata.creationTimestamp"]],
      ["pods.txt", ["describe", "pods", "--all-namespaces"]],
    ] as const) {
      writeFileSync(join(to, name), await this.kubectl(args).catch(String));
    }
    const pods = join(this.plan.directory, "pods");
    if (existsSync(pods)) copyPodLogs(pods, join(to, "pods"));
  }

  /** Ends everything and removes its traces. */
  async stop(): Promise<void> {
    await this.#program.kill("SIGKILL");
    await removeTraces(this.plan.directory);
  }

  async #untilReady(): Promise<void> {
    const wanted = ["get", "node", nodeName, "-o", 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'];
    await until("a ready node", async () => (await this.kubectl(wanted).catch(String)) === "True", 90_000);
  }

  /** The first process inside: the child of unshare. */
  #insidePid(): string {
    const { pid } = this.#program;
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ");
    if (child === undefined || child === "") throw new Error("the node has ended");
    return child;
  }
}

function volumeAt(name: string, path: string): object {
  const hostname = { key: "kubernetes.io/hostname", operator: "In", values: [nodeName] };
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name },
    spec: {
      capacity: { storage: "20Gi" },
      accessModes: ["ReadWriteOnce"],
      persistentVolumeReclaimPolicy: "Retain",
      // Unlike hostPath it is given to the pod's group, as a disk would be.
      local: { path },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [hostname] }] } },
    },
  };
}

function copyPodLogs(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const path of readdirSync(from, { recursive: true, encoding: "utf8" })) {
    if (!path.endsWith(".log")) continue;
    writeFileSync(join(to, path.replaceAll("/", "_")), readFileSync(join(from, path)));
  }
}

function tailOf(file: string): string {
  return `--- ${basename(file)}\n${readFileSync(file, "utf8").split("\n").slice(-12).join("\n")}`;
}
