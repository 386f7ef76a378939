/** How a control plane is reached, by whoever started it or by a test file that it was handed to. */
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AuditLog, type AuditEntry } from "./auditlog.ts";

/** All that it takes; plain values, so that another process can be told. */
export interface PlaneFacts {
  readonly port: number;
  readonly token: string;
  readonly authority: string;
  /** Certificate and key of the server, also for a proxy before it. */
  readonly serving: { readonly certificate: string; readonly privateKey: string };
  /** Of a user who may do everything. */
  readonly kubeconfig: string;
  readonly auditLog: string;
  /** The program. */
  readonly kubectl: string;
  /** Where kubectl keeps what it knows of the server. */
  readonly kubectlCache: string;
}

export interface PlaneAccess {
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
  /** Requests that have been answered since the plane was opened, in order. */
  audit(): readonly AuditEntry[];
}

/** Files that it makes go to the directory. */
export function openAccess(facts: PlaneFacts, directory: string): PlaneAccess {
  const { port, token, authority, serving, kubeconfig } = facts;
  mkdirSync(directory, { recursive: true });
  const log = new AuditLog(facts.auditLog, sizeOf(facts.auditLog));
  const write = (name: string, content: string): string => {
    const path = join(directory, name);
    writeFileSync(path, content);
    return path;
  };
  const at = (other: number): string => `https://127.0.0.1:${other}`;
  const kubectl = (args: readonly string[], input = ""): string =>
    execFileSync(facts.kubectl, ["--kubeconfig", kubeconfig, "--cache-dir", facts.kubectlCache, ...args], {
      input,
      encoding: "utf8",
      stdio: ["pipe", "pipe", "pipe"],
    });
  return {
    port,
    kubeconfig,
    token,
    authority,
    serving,
    kubeconfigAt: (other) => write(`kubeconfig-${other}`, kubeconfigFor(at(other), { authority, token })),
    kubeconfigWith: (another, other = port) =>
      write(`kubeconfig-${randomUUID()}`, kubeconfigFor(at(other), { authority, token: another })),
    kubectl,
    makeNamespace: (labels = {}) => {
      const name = `test-${randomUUID().slice(0, 8)}`;
      const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
      // Raw: kubectl would ask for the server's whole schema first.
      kubectl(["create", "--raw", "/api/v1/namespaces", "-f", "-"], JSON.stringify(namespace));
      return name;
    },
    audit: () => log.entries(),
  };
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

export function kubeconfigFor(server: string, user: { readonly authority: string; readonly token: string }): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: "test",
        cluster: { server, "certificate-authority-data": Buffer.from(user.authority).toString("base64") },
      },
    ],
    users: [{ name: "admin", user: { token: user.token } }],
    contexts: [{ name: "test", context: { cluster: "test", user: "admin" } }],
    "current-context": "test",
  });
}
