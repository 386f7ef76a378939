/**
 * A real API server over a real etcd, on loopback, with an audit log: what a cluster's control plane is to an operator.
 * Nothing schedules or runs pods here.
 */
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { argv } from "node:process";
import { issueLeaf, makeCertificateAuthority } from "../../../operator/trust/issue.ts";
import { freePort } from "../ports.ts";
import { Program } from "../program.ts";
import { until } from "../until.ts";
import { kubeconfigFor, openAccess, type PlaneAccess, type PlaneFacts } from "./planeaccess.ts";
import { provideControlPlane, type ControlPlanePrograms } from "./programs.ts";

export type { AuditEntry } from "./auditlog.ts";

export interface ControlPlane extends PlaneAccess {
  /** It serves other files before and after this one, and knows our definitions already. */
  readonly isShared: boolean;
  /** A shared one goes on. */
  stop(): Promise<void>;
}

/** One that nobody else uses: it may be killed, and its definitions changed. */
export interface OwnControlPlane extends ControlPlane {
  /** Where etcd answers. */
  readonly etcd: string;
  /** What another process needs to use it as well. */
  readonly facts: PlaneFacts;
  /** Kills the API server without a word. */
  killServer(): Promise<void>;
  /** With a key (PEM) that signs ServiceAccounts' tokens from now on; those that were signed before go on being good. */
  startServer(signingKey?: string): Promise<void>;
}

const handoverFlag = "--control-plane=";

/** What a test file is started with, so that it uses a control plane that runs already: a file with its facts. */
export function handover(factsFile: string): readonly string[] {
  return [`${handoverFlag}${factsFile}`];
}

/** The one that this test file was handed, as it is when nobody has used it; otherwise one that is started in the directory. */
export async function openControlPlane(directory: string): Promise<ControlPlane> {
  const handed = argv.find((argument) => argument.startsWith(handoverFlag));
  if (handed === undefined) return startControlPlane(directory);
  const facts = JSON.parse(readFileSync(handed.slice(handoverFlag.length), "utf8")) as PlaneFacts;
  return { ...openAccess(facts, directory), isShared: true, stop: async () => Promise.resolve() };
}

/** Files and logs go to the directory, which must be empty. */
export async function startControlPlane(directory: string): Promise<OwnControlPlane> {
  const programs = await provideControlPlane();
  mkdirSync(directory, { recursive: true });
  const files = await writeFiles(directory);
  const [etcdPort, peerPort, port] = [await freePort(), await freePort(), await freePort()];
  const etcd = startEtcd({ program: programs.etcd, directory, etcdPort, peerPort });
  let server: Program | undefined;
  const stop = async (): Promise<void> => {
    await server?.kill("SIGKILL");
    await etcd.kill("SIGKILL");
  };
  try {
    await until("etcd", () => answers(`http://127.0.0.1:${etcdPort}/health`));
    server = startServer({ programs, directory, etcdPort, port });
    await untilReady(port);
  } catch (error) {
    // Whoever started it has nothing to stop it by.
    await stop();
    throw error;
  }
  const kubeconfig = join(directory, "kubeconfig");
  writeFileSync(kubeconfig, kubeconfigFor(`https://127.0.0.1:${port}`, files));
  const facts: PlaneFacts = {
    ...files,
    port,
    kubeconfig,
    auditLog: join(directory, "audit.log"),
    kubectl: programs.kubectl,
    kubectlCache: join(directory, "cache"),
  };
  return {
    ...openAccess(facts, directory),
    isShared: false,
    etcd: `http://127.0.0.1:${etcdPort}`,
    facts,
    killServer: async () => {
      await server?.kill("SIGKILL");
    },
    startServer: async (signingKey) => {
      if (signingKey !== undefined) writeFileSync(join(directory, nextKeyFile), signingKey);
      server = startServer({ programs, directory, etcdPort, port });
      await untilReady(port);
    },
    stop,
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
}

const nextKeyFile = "sa-next.key";

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
    // Two families, as many clusters have: a Service has one of them unless it asks for both.
    "service-cluster-ip-range": "10.0.0.0/16,fd00:10::/112",
    "service-account-issuer": "https://kubernetes.default.svc",
    "service-account-key-file": at("sa.key"),
    "service-account-signing-key-file": at(existsSync(at(nextKeyFile)) ? nextKeyFile : "sa.key"),
    "audit-policy-file": at("audit.yaml"),
    "audit-log-path": at("audit.log"),
    // In megabytes: no test reads on in a second file.
    "audit-log-maxsize": "10000",
    "endpoint-reconciler-type": "none",
    "watch-cache-sizes": "",
    "shutdown-delay-duration": "0s",
    // Nothing makes default accounts here, and pods wait for theirs.
    "disable-admission-plugins": "ServiceAccount",
  };
  const args = Object.entries(flags).flatMap(([name, value]) => (value === "" ? [] : [`--${name}=${value}`]));
  if (existsSync(at(nextKeyFile))) args.push(`--service-account-key-file=${at(nextKeyFile)}`);
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
