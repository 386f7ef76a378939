/** What a node holds when its scenarios end: its Secrets are secret, and no other object, event or log of a pod tells what is in them. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { hear, keepSecrets } from "../secrets/disclosure.ts";
import { secretsOfSecret, type SecretObject } from "../secrets/documents.ts";
import type { Node } from "./node.ts";

const told = ["events", "configmaps", "pods", "statefulsets", "deployments", "services"];

/** A node that is gone tells nothing; one that is there tells all of it, or the search has failed. */
export async function hearNode(node: Node): Promise<void> {
  const secrets = await node.kubectl(["get", "secrets", "--all-namespaces", "--output=json"]).catch(() => "");
  if (secrets === "") return;
  const { items } = JSON.parse(secrets) as { readonly items: readonly SecretObject[] };
  keepSecrets(items.flatMap(secretsOfSecret));
  // None before the chart is installed.
  const names = await node.kubectl(["api-resources", "--api-group=mailboat.dev", "--namespaced", "--output=name"]);
  const ours = names.split("\n").filter((name) => name !== "");
  const all = [...told, ...ours].join(",");
  hear("the node's objects", await node.kubectl(["get", all, "--all-namespaces", "--output=json"]));
  if (ours.length > 0) hear("kubectl describe", await node.kubectl(["describe", ours.join(","), "--all-namespaces"]));
  const logs = join(node.plan.directory, "pods");
  if (!existsSync(logs)) return;
  for (const entry of readdirSync(logs, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && entry.name.endsWith(".log"))
      hear(`${entry.parentPath}/${entry.name}`, readFileSync(join(entry.parentPath, entry.name), "utf8"));
  }
}
