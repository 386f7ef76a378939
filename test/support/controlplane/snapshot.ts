/**
 * What an API server keeps in etcd at one time, and the way back to it: all that was made since is taken out of etcd, whatever its
 * finalizers say, and the server notices as it notices any other change.
 */
import { z } from "zod";

/** Revision of the last change, by key. */
type Keys = ReadonlyMap<string, string>;

const range = z.looseObject({
  kvs: z.array(z.looseObject({ key: z.string(), mod_revision: z.string() })).default([]),
});

/** What the server writes for itself, whenever it likes. */
const serversOwn = [
  /^\/registry\/(?:masterleases|peerserverleases|ranges|flowschemas|prioritylevelconfigurations|servicecidrs|storageversions)\//,
  /^\/registry\/[^]*\/kube-(?:system|public|node-lease)(?:\/|$)/,
  /^\/registry\/[^]*\/default\/kubernetes$/,
  /^\/registry\/namespaces\/default$/,
];

/** Of one transaction; etcd takes 128. */
const deletionsAtOnce = 100;

export class Snapshot {
  readonly #etcd: string;
  readonly #keys: Keys;

  private constructor(etcd: string, keys: Keys) {
    this.#etcd = etcd;
    this.#keys = keys;
  }

  static async take(etcd: string): Promise<Snapshot> {
    return new Snapshot(etcd, await keysOf(etcd));
  }

  /** Takes away what was made since. Returns what was changed or deleted since: that does not come back. */
  async restore(): Promise<readonly string[]> {
    const now = await keysOf(this.#etcd);
    const made = [...now.keys()].filter((key) => !this.#keys.has(key));
    for (let from = 0; from < made.length; from += deletionsAtOnce) {
      await remove(this.#etcd, made.slice(from, from + deletionsAtOnce));
    }
    return [...this.#keys].filter(([key, revision]) => now.get(key) !== revision).map(([key]) => key);
  }
}

async function keysOf(etcd: string): Promise<Keys> {
  // Up to the key that follows all that begin so.
  const answer = await ask(etcd, "range", {
    key: base64("/registry/"),
    range_end: base64("/registry0"),
    keys_only: true,
  });
  const keys = range.parse(answer).kvs.map(({ key, mod_revision: revision }) => [fromBase64(key), revision] as const);
  return new Map(keys.filter(([key]) => !serversOwn.some((pattern) => pattern.test(key))));
}

async function remove(etcd: string, keys: readonly string[]): Promise<void> {
  await ask(etcd, "txn", { success: keys.map((key) => ({ request_delete_range: { key: base64(key) } })) });
}

/** Through the gateway that etcd has for clients without gRPC. */
async function ask(etcd: string, verb: string, body: object): Promise<unknown> {
  const response = await fetch(`${etcd}/v3/kv/${verb}`, { method: "POST", body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`etcd answers ${verb} with ${response.status}: ${await response.text()}`);
  return response.json();
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

function fromBase64(text: string): string {
  return Buffer.from(text, "base64").toString("utf8");
}
