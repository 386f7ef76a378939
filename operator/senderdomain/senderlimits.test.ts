/** Limits of a sender's identities on their way from the manifest to the pods, with the Secrets that its selector finds. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parseDomainDocument } from "../../api/relayconfig.ts";
import { LocalKube } from "../../local/kube.ts";
import { domainOf, installation, now, relayOf, reportOf, secretOf } from "../../test/support/operatorobjects.ts";
import { domainDataKey, shardOf, shardSecretName } from "../binding/shards.ts";
import { createCredentialSource } from "../credentials/source.ts";
import { secretText } from "../kube/secret.ts";
import { readRelayDocument } from "../mailrelay/document.ts";
import type { RelaySources } from "../mailrelay/gather.ts";
import { reconcileRelay } from "../mailrelay/reconcile.ts";
import { createIssuerSource } from "../issuers/source.ts";
import { RelayMemory } from "../work/memory.ts";
import { reconcileDomain } from "./reconcile.ts";

const namespace = "mail";
const selecting = (app: string): object => ({ credentials: { secretSelector: { matchLabels: { app } } } });

function login(name: string, app: string, type = "kubernetes.io/basic-auth") {
  const one = secretOf({ name, namespace, type, values: { username: name, password: "correct horse" } });
  return { ...one, metadata: { name, namespace, labels: { app, both: "yes" } } };
}

test("each entry has the Secrets that it selects, and pods hear among how many what may be sent is divided", async (context) => {
  const stateDirectory = await mkdtemp(join(tmpdir(), "mailboat-senders-"));
  context.after(() => rm(stateDirectory, { recursive: true }));
  const kube = new LocalKube({ stateDirectory, now: () => now, onStatus: () => undefined });
  await kube.open();
  const senders = [
    { name: "shops", ...selecting("shop"), limits: { messagesPerHour: 100 } },
    { name: "all", credentials: { secretSelector: { matchLabels: { both: "yes" } } } },
  ];
  const bare = <T extends { metadata: { name: string } }>(object: T) => ({
    ...object,
    metadata: { name: object.metadata.name, namespace },
  });
  await kube.setGiven([
    { file: "relay", object: bare(relayOf({ replicas: 3 })) },
    { file: "domain", object: bare(domainOf({ namespace, spec: { senders } })) },
    ...[login("shop-b", "shop"), login("shop-a", "shop"), login("erp", "erp"), login("odd", "shop", "Opaque")].map(
      (object) => ({ file: object.metadata.name, object }),
    ),
  ]);
  const mounted = async () => readRelayDocument(await kube.get("Secret", namespace, "outbound-configuration"));
  const sources: RelaySources = {
    kube,
    credentials: createCredentialSource(),
    issuers: createIssuerSource({ kube, now: () => now }),
    readReport: async () => reportOf({ revision: (await mounted())?.revision ?? "none" }),
    giveOrder: () => Promise.resolve(undefined),
    memory: new RelayMemory(),
    installation,
    now: () => now,
  };
  for (let round = 0; round < 3; round += 1) {
    await reconcileDomain(sources, { namespace, name: "example-com" });
    await reconcileRelay(sources, { namespace, name: "outbound" });
  }
  const shard = await kube.get("Secret", namespace, shardSecretName("outbound", shardOf("example.com")));
  const document = parseDomainDocument(JSON.parse(secretText(shard, domainDataKey("example.com")) ?? ""));
  assert.deepEqual(
    document.senderEntries?.map(({ name, secrets, limits }) => ({ name, secrets, limits })),
    [
      // One that lets nobody in is no sender's.
      { name: "shops", secrets: ["mail/shop-a", "mail/shop-b"], limits: { messagesPerHour: 100 } },
      { name: "all", secrets: ["mail/erp", "mail/shop-a", "mail/shop-b"], limits: {} },
    ],
  );
  assert.equal((await mounted())?.pods, 3);
});
