/**
 * Two MailRelays of a namespace whose objects would have one name: the first keeps what is its own, the other one makes nothing
 * and says so, and it heals by itself when the first one goes. No object is written by both in turn.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { RawObject } from "../../operator/kube/client/resource.ts";
import { domainManifest, relayManifest } from "../support/controlplane/manifests.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane();
let stage: OperatorStage;

before(
  async () => {
    if (skip !== false) return;
    stage = await OperatorStage.open(import.meta.url);
    await stage.operator().leading();
  },
  { timeout: 1_800_000 },
);

after(async () => {
  if (skip === false) await stage.close();
});

const portsOf = (service: RawObject): readonly number[] => {
  const { ports } = service["spec"] as { readonly ports: readonly { readonly port: number }[] };
  return ports.map(({ port }) => port);
};

const ownersOf = ({ metadata }: RawObject): readonly string[] => {
  const { ownerReferences = [] } = metadata as { readonly ownerReferences?: readonly { readonly name: string }[] };
  return ownerReferences.map(({ name }) => name);
};

async function isMadeFor(namespace: string): Promise<void> {
  const service = await stage.read("Service", { namespace, name: "outbound-pods" });
  assert.deepEqual([ownersOf(service), portsOf(service)], [["outbound"], [2587, 2025, 9464, 9465]]);
}

test("the younger of two relays that want one Service makes nothing and names the other", { skip }, async () => {
  const namespace = stage.makeNamespace();
  const [first, second] = [
    { namespace, name: "outbound" },
    { namespace, name: "outbound-pods" },
  ];
  stage.apply(relayManifest(first));
  await stage.until("StatefulSet", first, { what: "is there", fits: () => true });
  stage.apply(relayManifest(second));
  const refused = await stage.untilCondition("MailRelay", second, { type: "Accepted", status: "False" });
  assert.match(refused.message, /^metadata\.name: Service outbound-pods belongs to MailRelay outbound/);
  await stage.untilCondition("MailRelay", second, { type: "Stalled", status: "True" });
  await stage.untilCondition("MailRelay", first, { type: "Accepted", status: "True" });
  const from = await stage.untilQuiet(3_000);
  await isMadeFor(namespace);
  const made = stage.writes(0).filter((one) => one.namespace === namespace && one.name.startsWith("outbound-pods"));
  const isOthers = ({ resource, name }: { readonly resource: string; readonly name: string }): boolean =>
    resource === "services" && name === "outbound-pods";
  // What is said of it is all that is written.
  const isSaid = ({ resource, subresource }: { readonly resource: string; readonly subresource: string }): boolean =>
    resource === "events" || subresource === "status";
  const own = made.filter((one) => !isSaid(one) && !isOthers(one));
  assert.deepEqual(own, [], "writes for the second relay");
  assert.equal(made.filter(isOthers).length, 1, "writes of the Service that both want");
  assert.equal(stage.writes(from).length, 0);
  assert.equal(await stage.get("StatefulSet", second), undefined);
  assert.equal((await stage.read("MailRelay", second)).metadata["finalizers"], undefined);

  stage.plane.kubectl(["delete", "mailrelay", "outbound", "--namespace", namespace, "--wait=false"]);
  await until("the first to be gone", async () => (await stage.get("MailRelay", first)) === undefined, 20_000);
  // What a garbage collector would do.
  stage.plane.kubectl(["delete", "service", "outbound-pods", "--namespace", namespace]);
  await stage.untilCondition("MailRelay", second, { type: "Accepted", status: "True", withinMs: 20_000 });
  const fits = (service: RawObject): boolean => ownersOf(service)[0] === "outbound-pods";
  const service = await stage.until("Service", second, { what: "belongs to the second", fits });
  assert.deepEqual(portsOf(service), [587, 25]);
});

test("an object that says it belongs to another MailRelay is never taken, a shard included", { skip }, async () => {
  const namespace = stage.makeNamespace();
  const relay = { namespace, name: "outbound" };
  const owner = { apiVersion: "mailboat.dev/v1alpha1", kind: "MailRelay", name: "other", uid: "1" };
  const labels = { "app.kubernetes.io/managed-by": "mailboat-operator", "mailboat.dev/relay": "outbound" };
  const metadata = (name: string): object => ({ namespace, name, labels, ownerReferences: [owner] });
  const shards = Array.from({ length: 32 }, (_, index) => `outbound-domains-${String(index).padStart(2, "0")}`);
  const secrets = [...shards, "outbound-configuration"].map((name) => ({
    apiVersion: "v1",
    kind: "Secret",
    metadata: metadata(name),
    stringData: { note: "another relay's" },
  }));
  const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: metadata("outbound") };
  stage.apply(account, ...secrets, relayManifest(relay), domainManifest({ namespace, name: "example-com" }));
  const refused = await stage.untilCondition("MailRelay", relay, { type: "Accepted", status: "False" });
  assert.match(refused.message, /ServiceAccount .* belongs to MailRelay other/);
  const domain = { namespace, name: "example-com" };
  const unwritten = await stage.untilCondition("SenderDomain", domain, { type: "Accepted", status: "False" });
  assert.match(unwritten.message, /belongs to MailRelay other/);
  for (const { metadata: place } of secrets as readonly { readonly metadata: { readonly name?: string } }[]) {
    const secret = await stage.read("Secret", { namespace, name: place.name ?? "" });
    assert.deepEqual([Object.keys(secret["data"] ?? {}), ownersOf(secret)], [["note"], ["other"]], place.name);
  }
});
