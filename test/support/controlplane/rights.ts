/** Gives an account of the test's the rights that the chart gives to the operator, from the same files. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { usualSecretsRole } from "../../../operator/installation/rights.ts";
import { repositoryRoot } from "../results.ts";
import type { ControlPlane } from "./controlplane.ts";
import { keepSecret } from "../secrets/disclosure.ts";

export const operatorAccount = "mailboat-operator";

const ruleList = z.array(
  z.union([
    z.strictObject({
      apiGroups: z.array(z.string()),
      resources: z.array(z.string()),
      resourceNames: z.array(z.string()).optional(),
      verbs: z.array(z.string()),
    }),
    z.strictObject({ nonResourceURLs: z.array(z.string()), verbs: z.array(z.string()) }),
  ]),
);

function rulesIn(name: string): z.infer<typeof ruleList> {
  return ruleList.parse(parse(readFileSync(join(repositoryRoot, `charts/mailboat/rbac/${name}.yaml`), "utf8")));
}

export interface ScopedRights {
  /** Of the operator. */
  readonly namespace: string;
  /** Those that get a Role. */
  readonly namespaces: readonly string[];
  /** Whether the ClusterRole for our own kinds is left out, as with `rbac.finalizers=false`. */
  readonly withoutCluster?: boolean;
  /** As with `rbac.namespaceLabels=true`. */
  readonly withLabels?: boolean;
}

export const scopedAccount = "mailboat-scoped";

/** As the chart does for a list of namespaces. Returns a token of the account. */
export function grantScopedRights(plane: ControlPlane, rights: ScopedRights): string {
  const { namespace, namespaces, withoutCluster = false, withLabels = false } = rights;
  const name = scopedAccount;
  const subjects = [{ kind: "ServiceAccount", name, namespace }];
  const cluster = [...(withoutCluster ? [] : rulesIn("kinds")), ...(withLabels ? rulesIn("namespaces") : [])];
  const items = [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace } },
    ...bound("Role", { name, namespace, rules: [...rulesIn("election"), ...rulesIn("secrets")], subjects }),
    ...bound("ClusterRole", { name: `${name}-${namespace}`, rules: cluster, subjects }),
    ...namespaces.flatMap((one) => {
      const rules = [...rulesIn("kinds"), ...rulesIn("resources"), ...rulesIn("secrets"), ...rulesIn("configmaps")];
      return bound("Role", { name, namespace: one, rules, subjects });
    }),
  ];
  plane.kubectl(["apply", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items }));
  const token = plane.kubectl(["create", "token", name, "--namespace", namespace, "--duration", "24h"]).trim();
  keepSecret("a token of the operator", token);
  return token;
}

interface Bound {
  readonly name: string;
  readonly namespace?: string;
  readonly rules: z.infer<typeof ruleList>;
  readonly subjects: readonly object[];
}

function bound(kind: "Role" | "ClusterRole", { rules: given, subjects, ...metadata }: Bound): readonly object[] {
  const apiVersion = "rbac.authorization.k8s.io/v1";
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind, name: metadata.name };
  return [
    { apiVersion, kind, metadata, rules: given },
    { apiVersion, kind: `${kind}Binding`, metadata, subjects, roleRef },
  ];
}

/** As the chart does for all namespaces, with Secrets and ConfigMaps of the operator's own alone. Returns a token of the account. */
export function grantRights(plane: ControlPlane, namespace: string): string {
  const apiVersion = "rbac.authorization.k8s.io/v1";
  const name = operatorAccount;
  const subjects = [{ kind: "ServiceAccount", name, namespace }];
  const roleRef = (kind: string) => ({ apiGroup: "rbac.authorization.k8s.io", kind, name });
  const everywhere = ["kinds", "resources", "namespaces", "tokenkeys"].flatMap(rulesIn);
  const given = [...rulesIn("secrets"), ...rulesIn("configmaps")];
  const own = [...rulesIn("election"), ...given];
  const items = [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace } },
    { apiVersion, kind: "ClusterRole", metadata: { name }, rules: everywhere },
    { apiVersion, kind: "ClusterRoleBinding", metadata: { name }, subjects, roleRef: roleRef("ClusterRole") },
    { apiVersion, kind: "ClusterRole", metadata: { name: usualSecretsRole.name }, rules: given },
    { apiVersion, kind: "Role", metadata: { name, namespace }, rules: own },
    { apiVersion, kind: "RoleBinding", metadata: { name, namespace }, subjects, roleRef: roleRef("Role") },
  ];
  plane.kubectl(["apply", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items }));
  const token = plane.kubectl(["create", "token", name, "--namespace", namespace, "--duration", "24h"]).trim();
  keepSecret("a token of the operator", token);
  return token;
}
