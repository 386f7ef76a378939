/** Gives an account of the test's the rights that the chart gives to the operator, from the same files. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { secretsRole } from "../../../operator/mailrelay/rights.ts";
import { repositoryRoot } from "../results.ts";
import type { ControlPlane } from "./controlplane.ts";

export const operatorAccount = "mailboat-operator";

const rules = z.array(
  z.strictObject({
    apiGroups: z.array(z.string()),
    resources: z.array(z.string()),
    resourceNames: z.array(z.string()).optional(),
    verbs: z.array(z.string()),
  }),
);

function rulesIn(name: string): z.infer<typeof rules> {
  return rules.parse(parse(readFileSync(join(repositoryRoot, `charts/mailboat/rbac/${name}.yaml`), "utf8")));
}

/** As the chart does for all namespaces, with Secrets of the operator's own alone. Returns a token of the account. */
export function grantRights(plane: ControlPlane, namespace: string): string {
  const apiVersion = "rbac.authorization.k8s.io/v1";
  const name = operatorAccount;
  const subjects = [{ kind: "ServiceAccount", name, namespace }];
  const roleRef = (kind: string) => ({ apiGroup: "rbac.authorization.k8s.io", kind, name });
  const everywhere = [...rulesIn("resources"), ...rulesIn("namespaces")];
  const own = [...rulesIn("election"), ...rulesIn("secrets")];
  const items = [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace } },
    { apiVersion, kind: "ClusterRole", metadata: { name }, rules: everywhere },
    { apiVersion, kind: "ClusterRoleBinding", metadata: { name }, subjects, roleRef: roleRef("ClusterRole") },
    { apiVersion, kind: "ClusterRole", metadata: { name: secretsRole }, rules: rulesIn("secrets") },
    { apiVersion, kind: "Role", metadata: { name, namespace }, rules: own },
    { apiVersion, kind: "RoleBinding", metadata: { name, namespace }, subjects, roleRef: roleRef("Role") },
  ];
  plane.kubectl(["apply", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items }));
  return plane.kubectl(["create", "token", name, "--namespace", namespace, "--duration", "24h"]).trim();
}
