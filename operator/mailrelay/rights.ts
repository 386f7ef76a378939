/** The words for a read that RBAC does not allow: what cannot be read, and the command that allows it. Pure. */
import type { Place, ReferenceProblem } from "./world.ts";

/** The ClusterRole that a namespace's owner binds so that the operator may read and write Secrets there. */
export const secretsRole = "mailboat-secrets";

export function grantCommand(place: Pick<Place, "namespace" | "serviceAccount">, namespace: string): string {
  return (
    `kubectl create rolebinding ${secretsRole} --namespace ${namespace} --clusterrole ${secretsRole} ` +
    `--serviceaccount ${place.namespace}:${place.serviceAccount}`
  );
}

/** What lets the operator see the labels of namespaces. */
const namespacesRole = "mailboat-namespaces";

/** Continues a sentence that says what cannot be told without the right. */
export function namespacesGrant(place: Pick<Place, "namespace" | "serviceAccount">): string {
  return (
    `the operator may not list namespaces; whoever runs it can allow that: ` +
    `kubectl create clusterrole ${namespacesRole} --verb list,watch --resource namespaces && ` +
    `kubectl create clusterrolebinding ${namespacesRole} --clusterrole ${namespacesRole} ` +
    `--serviceaccount ${place.namespace}:${place.serviceAccount} (with the chart: rbac.namespaceLabels=true)`
  );
}

export interface ForbiddenRead {
  /** For example `spec.tls.secretName`. */
  readonly field: string;
  readonly namespace: string;
  readonly place: Place;
}

export function forbiddenProblem({ field, namespace, place }: ForbiddenRead): ReferenceProblem {
  const message =
    `${field}: the operator may not read Secrets in namespace ${namespace}; whoever owns it can allow that: ` +
    grantCommand(place, namespace);
  return { kind: "forbidden", field, message };
}
