/** Gives an account of the test's the rights that the chart gives to the operator, from the same file. */
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
const rights = z.strictObject({ operator: rules, namespaces: rules, secrets: rules, lease: rules });

/** Returns a token of the account. */
export function grantRights(plane: ControlPlane, namespace: string): string {
  const file = join(repositoryRoot, "charts/mailboat/files/rbac.yaml");
  const { operator, namespaces, secrets, lease } = rights.parse(parse(readFileSync(file, "utf8")));
  const apiVersion = "rbac.authorization.k8s.io/v1";
  const name = operatorAccount;
  const subjects = [{ kind: "ServiceAccount", name, namespace }];
  const roleRef = (kind: string, role: string) => ({ apiGroup: "rbac.authorization.k8s.io", kind, name: role });
  const items = [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace } },
    { apiVersion, kind: "ClusterRole", metadata: { name }, rules: [...operator, ...namespaces] },
    { apiVersion, kind: "ClusterRoleBinding", metadata: { name }, subjects, roleRef: roleRef("ClusterRole", name) },
    { apiVersion, kind: "ClusterRole", metadata: { name: secretsRole }, rules: secrets },
    {
      apiVersion,
      kind: "RoleBinding",
      metadata: { name: secretsRole, namespace },
      subjects,
      roleRef: roleRef("ClusterRole", secretsRole),
    },
    { apiVersion, kind: "Role", metadata: { name, namespace }, rules: lease },
    { apiVersion, kind: "RoleBinding", metadata: { name, namespace }, subjects, roleRef: roleRef("Role", name) },
  ];
  plane.kubectl(["apply", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items }));
  return plane.kubectl(["create", "token", name, "--namespace", namespace, "--duration", "24h"]).trim();
}
