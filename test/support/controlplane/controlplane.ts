/**
 * A real API server over a real etcd, on loopback, with an audit log: what a cluster's control plane is to an operator.
 * Nothing schedules or runs pods here.
 */
import { execFileSync } from "node:child_process";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { issueLeaf, makeCertificateAuthority } from "../../../operator/mailrelay/issue.ts";
import { freePort } from "../ports.ts";
import { Program } from "../program.ts";
import { until } from "../until.ts";
import { provideControlPlane, type ControlPlanePrograms } from "./programs.ts";

export interface AuditEntry {
  readonly verb: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly user: string;
  readonly userAgent: string;
  readonly code: number;
}

export interface ControlPlane {
  readonly port: number;
  /** Of a user who may do everything. */
  readonly kubeconfig: string;
  readonly token: string;
  readonly authority: string;
  /** Certificate and key of the server, also for a proxy before it. */
  readonly serving: { readonly certificate: string; readonly privateKey: string };
  /** A kubeconfig for the same user that reaches the server at another port of this machine. */
  kubeconfigAt(port: number): string;
  /** A kubeconfig for whoever has the token, at a port of this machine (the server's own unless told). */
  kubeconfigWith(token: string, port?: number): string;
  /** Runs kubectl and returns what it printed. Throws when it fails. */
  kubectl(args: readonly string[], input?: string): string;
  /** A namespace of the test's own. */
  makeNamespace(labels?: Readonly<Record<string, string>>): string;
  /** Requests that have been answered since the start, in order. */
  audit(): readonly AuditEntry[];
  /** Kills the API server without a word. */
  killServer(): Promise<void>;
  startServer(): Promise<void>;
  stop(): Promise<void>;
}

/** Files and logs go to the directory, which must be empty. */
export async function startControlPlane(directory: string): Promise<ControlPlane> {
  const programs = await provideControlPlane();
  mkdirSync(directory, { recursive: true });
  const files = await writeFiles(directory);
  const [etcdPort, peerPort, port] = [await freePort(), await freePort(), await freePort()];
  const etcd = startEtcd({ program: programs.etcd, directory, etcdPort, peerPort });
  await until("etcd", () => answers(`http://127.0.0.1:${etcdPort}/health`));
  let server = startServer({ programs, directory, etcdPort, port, files });
  await untilReady(port);
  const kubeconfig = join(directory, "kubeconfig");
  const kubeconfigAt = (other: number): string => {
    const path = other === port ? kubeconfig : join(directory, `kubeconfig-${other}`);
    writeFileSync(path, kubeconfigFor(`https://127.0.0.1:${other}`, files));
    return path;
  };
  kubeconfigAt(port);
  const kubeconfigWith = (token: string, other = port): string => {
    const path = join(directory, `kubeconfig-${randomUUID()}`);
    writeFileSync(path, kubeconfigFor(`https://127.0.0.1:${other}`, { ...files, token }));
    return path;
  };
  const kubectl = (args: readonly string[], input = ""): string =>
    execFileSync(programs.kubectl, ["--kubeconfig", kubeconfig, "--cache-dir", join(directory, "cache"), ...args], {
      input,
      encoding: "utf8",
      stdio: ["pipe", "pipe", "pipe"],
    });
  return {
    port,
    kubeconfig,
    token: files.token,
    authority: files.authority,
    serving: files.serving,
    kubeconfigAt,
    kubeconfigWith,
    kubectl,
    makeNamespace: (labels = {}) => {
      const name = `test-${randomUUID().slice(0, 8)}`;
      kubectl(
        ["apply", "-f", "-"],
        JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } }),
      );
      return name;
    },
    audit: () => readAudit(join(directory, "audit.log")),
    killServer: async () => {
      await server.kill("SIGKILL");
    },
    startServer: async () => {
      server = startServer({ programs, directory, etcdPort, port, files });
      await untilReady(port);
    },
    stop: async () => {
      await server.kill("SIGKILL");
      await etcd.kill("SIGKILL");
    },
  };
}

interface Files {
  readonly token: string;
  readonly authority: string;
  readonly serving: { readonly certificate: string; readonly privateKey: string };
}

async function writeFiles(directory: string): Promise<Files> {
  const now = Date.now();
  const authority = await makeCertificateAuthority(now);
  const leaf = await issueLeaf({ authority, names: ["localhost", "127.0.0.1", "10.0.0.1"], now });
  const token = randomUUID();
  const serving = { certificate: leaf.certificate + authority.certificate, privateKey: leaf.privateKey };
  const accountKey = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  writeFileSync(join(directory, "sa.key"), accountKey.export({ type: "pkcs1", format: "pem" }));
  writeFileSync(join(directory, "server.crt"), serving.certificate);
  writeFileSync(join(directory, "server.key"), serving.privateKey);
  writeFileSync(join(directory, "tokens.csv"), `${token},admin,admin,"system:masters"\n`);
  writeFileSync(join(directory, "audit.yaml"), auditPolicy);
  return { token, authority: authority.certificate, serving };
}

/** Only what clients of ours do is of interest, once it is answered. */
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
  - {level: None, users: ["system:apiserver"]}
  - {level: None, nonResourceURLs: ["/healthz*", "/readyz*", "/livez*", "/openapi*", "/api*"]}
  - {level: Metadata}
`;

interface EtcdStart {
  readonly program: string;
  readonly directory: string;
  readonly etcdPort: number;
  readonly peerPort: number;
}

function startEtcd({ program, directory, etcdPort, peerPort }: EtcdStart): Program {
  const [client, peer] = [`http://127.0.0.1:${etcdPort}`, `http://127.0.0.1:${peerPort}`];
  const args = ["--data-dir", join(directory, "etcd"), "--unsafe-no-fsync", "--log-level", "warn"];
  const urls = ["--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer];
  const cluster = ["--initial-advertise-peer-urls", peer, "--initial-cluster", `default=${peer}`];
  return new Program({ command: [program, ...args, ...urls, ...cluster], logFile: join(directory, "etcd.txt") });
}

interface ServerStart {
  readonly programs: ControlPlanePrograms;
  readonly directory: string;
  readonly etcdPort: number;
  readonly port: number;
  readonly files: Files;
}

function startServer({ programs, directory, etcdPort, port }: ServerStart): Program {
  const at = (name: string): string => join(directory, name);
  const flags = {
    "etcd-servers": `http://127.0.0.1:${etcdPort}`,
    "bind-address": "127.0.0.1",
    "advertise-address": "127.0.0.1",
    "secure-port": String(port),
    "tls-cert-file": at("server.crt"),
    "tls-private-key-file": at("server.key"),
    "token-auth-file": at("tokens.csv"),
    "authorization-mode": "RBAC",
    "service-cluster-ip-range": "10.0.0.0/16",
    "service-account-issuer": "https://kubernetes.default.svc",
    "service-account-key-file": at("sa.key"),
    "service-account-signing-key-file": at("sa.key"),
    "audit-policy-file": at("audit.yaml"),
    "audit-log-path": at("audit.log"),
    "endpoint-reconciler-type": "none",
    "watch-cache-sizes": "",
    "shutdown-delay-duration": "0s",
    // Nothing makes default accounts here, and pods wait for theirs.
    "disable-admission-plugins": "ServiceAccount",
  };
  const args = Object.entries(flags).flatMap(([name, value]) => (value === "" ? [] : [`--${name}=${value}`]));
  return new Program({ command: [programs.apiserver, ...args], logFile: at("apiserver.txt") });
}

async function untilReady(port: number): Promise<void> {
  await until("the API server", () => isReady(port), 60_000);
}

/** Asked without a certificate check: the server is not there yet, or is ours. */
async function isReady(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const asked = request({ host: "127.0.0.1", port, path: "/readyz", rejectUnauthorized: false }, (answer) => {
    answer.resume();
    resolve(answer.statusCode === 200);
  });
  asked.on("error", () => resolve(false));
  asked.end();
  return promise;
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

function kubeconfigFor(server: string, files: Files): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: "test",
        cluster: { server, "certificate-authority-data": Buffer.from(files.authority).toString("base64") },
      },
    ],
    users: [{ name: "admin", user: { token: files.token } }],
    contexts: [{ name: "test", context: { cluster: "test", user: "admin" } }],
    "current-context": "test",
  });
}

interface AuditRecord {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly userAgent?: string;
  readonly objectRef?: {
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
}

function readAudit(path: string): readonly AuditEntry[] {
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.flatMap((line) => {
    if (!line.endsWith("}")) return [];
    const record = JSON.parse(line) as AuditRecord;
    const { resource = "", subresource = "", namespace = "", name = "" } = record.objectRef ?? {};
    return {
      verb: record.verb,
      resource,
      subresource,
      namespace,
      name,
      user: record.user.username,
      userAgent: record.userAgent ?? "",
      code: record.responseStatus?.code ?? 0,
    };
  });
}
