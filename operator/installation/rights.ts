/**
 * The words for what the API server does not let the operator do: reads for which a right is missing, with the command that
 * gives it, and writes that it refuses, with the field that they come from. Pure.
 */
import { ForbiddenError, RejectedError } from "../kube/kube.ts";
import type { ReferredKind, WrittenKind } from "../kube/objects.ts";
import type { Installation, SecretsRole } from "./installation.ts";
import type { ReferenceProblem, Rejection } from "./problems.ts";

/** The role that a namespace's owner binds so that the operator may read and write Secrets there, where nothing else is said. */
export const usualSecretsRole: SecretsRole = { kind: "ClusterRole", name: "mailboat-secrets" };

export function grantCommand(
  {
    namespace: own,
    serviceAccount,
    secretsRole: { kind, name },
  }: Pick<Installation, "namespace" | "serviceAccount" | "secretsRole">,
  namespace: string,
): string {
  return (
    `kubectl create rolebinding ${name} --namespace ${namespace} --${kind.toLowerCase()} ${name} ` +
    `--serviceaccount ${own}:${serviceAccount}`
  );
}

/** What lets the operator see the labels of namespaces. */
const namespacesRole = "mailboat-namespaces";

/** Continues a sentence that says what cannot be told without the right. */
export function namespacesGrant(installation: Pick<Installation, "namespace" | "serviceAccount">): string {
  return (
    `the operator may not list namespaces; whoever runs it can allow that: ` +
    `kubectl create clusterrole ${namespacesRole} --verb list,watch --resource namespaces && ` +
    `kubectl create clusterrolebinding ${namespacesRole} --clusterrole ${namespacesRole} ` +
    `--serviceaccount ${installation.namespace}:${installation.serviceAccount} (with the chart: rbac.namespaceLabels=true)`
  );
}

export interface ForbiddenRead {
  /** For example `spec.tls.secretRef`. */
  readonly field: string;
  /** Of what may not be read; Secrets when absent. */
  readonly kind?: ReferredKind;
  readonly namespace: string;
  readonly installation: Installation;
}

export function forbiddenProblem({ field, kind = "Secret", namespace, installation }: ForbiddenRead): ReferenceProblem {
  const message =
    `${field}: the operator may not read ${kind}s in namespace ${namespace}; whoever owns it can allow that: ` +
    grantCommand(installation, namespace);
  return { kind: "forbidden", object: kind, field, message };
}

/** Where in the spec of a MailRelay a person finds what an object of each kind says. */
const fields: Readonly<Record<WrittenKind, string>> = {
  MailRelay: "metadata",
  SenderDomain: "metadata",
  StatefulSet: "spec.pod",
  Pod: "spec.pod",
  PersistentVolumeClaim: "spec.spool.storage",
  Service: "spec.service",
  Certificate: "spec.tls.certManager",
  NetworkPolicy: "spec.networkPolicy",
  Secret: "metadata.name",
  ServiceAccount: "metadata.name",
  PodDisruptionBudget: "metadata.name",
  PodMonitor: "metadata.name",
};

export interface RefusedWrite {
  readonly kind: WrittenKind;
  readonly name: string;
  /** Where the spec asks for this very object; the kind tells when it is absent. */
  readonly field?: string;
}

/** Throws what nobody who made the resource can mend. Rights to Secrets that are missing are told with the reads. */
export function rejectionOf({ kind, name, field }: RefusedWrite, error: unknown): Rejection {
  const what = `Kubernetes refuses ${kind} ${name}`;
  const spare = kind === "PodMonitor" ? ({ isSpare: true } as const) : {};
  if (error instanceof RejectedError) {
    return { field: field ?? fieldOf(kind, error), message: `${what}: ${error.message}`, ...spare };
  }
  if (!(error instanceof ForbiddenError) || kind === "Secret") throw error;
  return {
    field: "metadata.namespace",
    message: `${what}, a right of the operator's is missing: ${error.message}`,
    ...spare,
  };
}

function fieldOf(kind: WrittenKind, { refusedFor }: RejectedError): string {
  if (refusedFor === "name") return "metadata.name";
  return refusedFor === "place" ? "metadata.namespace" : fields[kind];
}

export function rejectionText({ field, message }: Rejection): string {
  return `${field}: ${message}`;
}
