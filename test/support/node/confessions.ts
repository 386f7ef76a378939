/** What a node holds when its scenarios end: its Secrets are secret, and no other object, event or log of a pod tells what is in them. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { hear, keepSecrets } from "../secrets/confidence.ts";
import { secretsOfSecret, type SecretObject } from "../secrets/documents.ts";
import type { Node } from "./node.ts";

const told = "mailrelays,senderdomains,events,configmaps,pods,statefulsets,deployments,services";

/** A node that is gone tells nothing. */
export async function hearNode(node: Node): Promise<void> {
  const ask = async (...args: readonly string[]): Promise<string> => node.kubectl(args).catch(() => "");
  const secrets = await ask("get", "secrets", "--all-namespaces", "--output=json");
  if (secrets === "") return;
  const { items } = JSON.parse(secrets) as { readonly items: readonly SecretObject[] };
  keepSecrets(items.flatMap(secretsOfSecret));
  hear("the node's objects", await ask("get", told, "--all-namespaces", "--output=json"));
  hear("kubectl describe", await ask("describe", "mailrelays,senderdomains", "--all-namespaces"));
  const logs = join(node.plan.directory, "pods");
  if (!existsSync(logs)) return;
  for (const entry of readdirSync(logs, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && entry.name.endsWith(".log"))
      hear(`${entry.parentPath}/${entry.name}`, readFileSync(join(entry.parentPath, entry.name), "utf8"));
  }
}
