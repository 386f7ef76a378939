/** The words for a right that the operator lacks: the command that gives it. Pure. */
import type { Installation, SecretsRole } from "./installation.ts";

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
