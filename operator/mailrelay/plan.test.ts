import assert from "node:assert/strict";
import { test } from "node:test";
import {
  authorityPem,
  authoritySecretOf,
  internalAuthoritySecretOf,
  podOf,
  relayOf,
  relayWorld,
  reportOf,
  secretOf,
} from "../../test/support/operatorobjects.ts";
import { readShard } from "../kube/shard.ts";
import { readRelayDocument } from "./document.ts";
import { internalAuthority, issueLeaf, makeCertificateAuthority } from "../trust/issue.ts";
import { renderConfiguration } from "./objects/configuration.ts";
import { renderShard } from "../binding/shards.ts";
import type { RelayWorld } from "./world.ts";
import { ownerOf } from "../owned/owner.ts";
import { planRelay, type RelayPlan } from "../../test/support/plans.ts";

/** A relay with something in every list, and a certificate that is not looked into. */
function fullWorld(): RelayWorld {
  const relay = relayOf({
    replicas: 2,
    listeners: [
      { name: "submission", port: 587 },
      { name: "smtp", port: 25, authentication: "Optional", trustedNetworks: ["10.0.0.0/8"] },
    ],
    tls: { secretRef: { name: "outbound-tls" } },
    spool: { storage: { size: "1Gi", storageClassName: "fast" } },
    delivery: {
      smarthosts: [
        {
          name: "first",
          host: "smtp.example.net",
          port: 587,
          credentialsRef: { name: "hop" },
          caRef: { name: "hop-ca" },
        },
        { name: "other-1", host: "capture.mailboat.localhost", port: 25, tlsMode: "None" },
      ],
      retry: { first: "30s", max: "1h30m" },
    },
  });
  const shard = readShard({ ...renderShard(relay, "22"), data: { "example.com.json": "e30=" } });
  return relayWorld({
    relay,
    secrets: new Map([
      ["hop", secretOf({ name: "hop", values: { username: "u", password: "p" } })],
      ["hop-ca", secretOf({ name: "hop-ca", values: { "ca.crt": authorityPem } })],
    ]),
    certificate: secretOf({ name: "outbound-certificate", values: { "tls.crt": "PEM", "tls.key": "PEM" } }),
    shards: new Map([["22", shard]]),
    domains: new Set(["example.com"]),
  });
}

function documentOf(plan: RelayPlan) {
  const secret = plan.apply.find((object) => object.metadata.name === "outbound-configuration");
  return secret?.kind === "Secret" ? readRelayDocument(secret) : undefined;
}

test("planRelay() gives the same bytes a thousand times over, whatever the order of its maps", () => {
  const world = fullWorld();
  const first = JSON.stringify(planRelay(world));
  const turned = { ...world, secrets: new Map([...world.secrets].toReversed()) };
  for (let run = 0; run < 1000; run += 1)
    assert.equal(JSON.stringify(planRelay(run % 2 === 0 ? world : turned)), first);
});

test("planRelay() changes the revision when a shard changes and when the spec changes, and not otherwise", () => {
  const world = fullWorld();
  const revision = documentOf(planRelay(world))?.revision;
  const changed = readShard({ ...renderShard(world.relay, "22"), data: { "example.com.json": "e30K" } });
  assert.notEqual(documentOf(planRelay({ ...world, shards: new Map([["22", changed]]) }))?.revision, revision);
  const renamed = { ...world.relay, spec: { ...world.relay.spec, hostname: "other.example.com" } };
  assert.notEqual(documentOf(planRelay({ ...world, relay: renamed }))?.revision, revision);
  assert.equal(documentOf(planRelay({ ...world, now: world.now + 1000 }))?.revision, revision);
});

test("planRelay() says among how many pods what may be sent is divided, where something is limited", () => {
  const world = fullWorld();
  assert.equal(documentOf(planRelay(world))?.pods, undefined);
  const pods = (replicas: number): number | undefined =>
    documentOf(
      planRelay({ ...world, hasLimits: true, relay: { ...world.relay, spec: { ...world.relay.spec, replicas } } }),
    )?.pods;
  assert.deepEqual([pods(0), pods(1), pods(3)], [1, 1, 3]);
});

test("planRelay() names in status who has sent what he may, once and in order", () => {
  const said = (key: string, isLimited: boolean) => ({ key, share: 1, isPressed: true, isLimited });
  const report = { ...reportOf(), quotas: [said("tenant shops shop", true), said("domain b.example", true)] };
  const other = { ...reportOf(), quotas: [said("domain b.example", true), said("domain a.example", false)] };
  const pods = [podOf("outbound-0", { report }), podOf("outbound-1", { report: other })];
  assert.deepEqual(planRelay({ ...fullWorld(), pods }).status.limited, ["b.example", "namespace shop"]);
  assert.equal(planRelay(fullWorld()).status.limited, undefined);
});

test("planRelay() names domains and namespaces before entries of senders, and of many entries some of each domain", () => {
  const said = (key: string) => ({ key, share: 1, isPressed: true, isLimited: true });
  const domains = ["a.example", "b.example", "c.example", "d.example"];
  const entries = domains.flatMap((domain) =>
    Array.from({ length: 32 }, (_, index) => said(`sender ${domain} apps${index} somebody`)),
  );
  const all = [...entries, said("domain shop.example"), said("tenant shops shop"), said("sender z.example x somebody")];
  const pods = [podOf("outbound-0", { report: { ...reportOf(), quotas: all } })];
  const limited = planRelay({ ...fullWorld(), pods }).status.limited ?? [];
  assert.equal(limited.length, 100);
  assert.deepEqual(limited.slice(0, 2), ["namespace shop", "shop.example"]);
  assert.ok(limited.includes("sender x of z.example"));
  for (const domain of domains)
    assert.ok(limited.filter((owner) => owner.endsWith(` of ${domain}`)).length >= 24, `entries of ${domain}`);
});

test("planRelay() keeps the last good way out while a smarthost's Secret is missing, and lets the rest take effect", () => {
  const good = fullWorld();
  const document = documentOf(planRelay(good));
  assert.ok(document !== undefined);
  const relay = { ...good.relay, spec: { ...good.relay.spec, hostname: "new.example.com" } };
  const broken = { ...good, relay, secrets: new Map(), configuration: renderConfiguration(good.relay, document) };
  const next = documentOf(planRelay(broken));
  assert.deepEqual(next?.delivery, document.delivery);
  assert.equal(next.hostname, "new.example.com");
});

test("planRelay() starts nothing while the first way out cannot be followed", () => {
  const plan = planRelay({ ...fullWorld(), secrets: new Map() });
  assert.ok(plan.apply.every((object) => object.kind !== "StatefulSet" && object.kind !== "Secret"));
  const resolved = plan.status.conditions?.find((entry) => entry.type === "ResolvedRefs");
  assert.equal(resolved?.reason, "SecretNotFound");
  assert.match(resolved.message, /spec\.delivery\.smarthosts\[0\]\.credentialsRef: Secret hop does not exist/);
});

test("planRelay() removes documents that no SenderDomain holds before it names the shards' digests", () => {
  const plan = planRelay({ ...fullWorld(), domains: new Set() });
  assert.deepEqual(
    plan.removals.map((removal) => removal.keys),
    [["example.com.json"]],
  );
  assert.equal(documentOf(plan), undefined);
});

test("planRelay() writes nothing but status while paused", () => {
  const world = fullWorld();
  const plan = planRelay({ ...world, relay: { ...world.relay, spec: { ...world.relay.spec, paused: true } } });
  assert.deepEqual([plan.apply, plan.removals, plan.issueFor, plan.issuesPeer], [[], [], undefined, false]);
  assert.equal(plan.status.conditions?.find((entry) => entry.type === "Accepted")?.reason, "Paused");
});

test("planRelay() asks for our own certificate once, and copies a given one only when it is usable", async () => {
  const now = relayWorld().now;
  const own = relayWorld();
  const names = ["relay.example.com", "outbound.mail.svc", "outbound.mail.svc.cluster.local", "localhost"];
  const bare = planRelay(own);
  assert.deepEqual([bare.keep, bare.issueFor], [["clients", "pods"], undefined], "what is to sign it comes first");
  const authority = await makeCertificateAuthority(now);
  assert.deepEqual(planRelay({ ...own, authority: authoritySecretOf(authority) }).issueFor, names);
  const leaf = await issueLeaf({ authority, names, now });
  const values = { "tls.crt": leaf.certificate, "tls.key": leaf.privateKey, "ca.crt": authority.certificate };
  const certificate = secretOf({ name: "outbound-certificate", values });
  assert.equal(planRelay({ ...own, certificate, authority: authoritySecretOf(authority) }).issueFor, undefined);
  const relay = relayOf({ tls: { secretRef: { name: "mine" } } });
  const mine = secretOf({ name: "mine", values: { "tls.crt": leaf.certificate, "tls.key": authority.privateKey } });
  const later = planRelay({ ...own, relay, certificate, secrets: new Map([["mine", mine]]) });
  assert.ok(
    later.apply.every((object) => object.kind !== "StatefulSet"),
    "pods start with all that they mount",
  );
  const internal = internalAuthoritySecretOf(await makeCertificateAuthority(now, internalAuthority));
  const kept = planRelay({
    ...own,
    relay,
    certificate,
    internalAuthority: internal,
    secrets: new Map([["mine", mine]]),
  });
  assert.ok(kept.apply.every((object) => object.metadata.name !== "outbound-certificate"));
  assert.ok(kept.apply.some((object) => object.kind === "StatefulSet"));
  const order = kept.actions.map((action) => (action.kind === "apply" ? action.object.kind : action.kind));
  assert.deepEqual(order.slice(0, 2), ["finalize", "issue"], "what the pods know each other by");
  assert.deepEqual(
    order.slice(-4),
    ["Secret", "StatefulSet", "status", "event"],
    "the configuration, and then the pods",
  );
});

test("planRelay() takes over Secrets whose owner is a relay of its name that is no more, and leaves the others", () => {
  const owner = ownerOf(relayOf());
  const ownedBy = (name: string, uid: string) => {
    const secret = secretOf({ name, values: { "tls.crt": "PEM" } });
    return { ...secret, metadata: { ...secret.metadata, ownerReferences: [{ ...owner, uid }] } };
  };
  const certificate = ownedBy("outbound-certificate", "dead");
  const { adopt } = planRelay({ ...fullWorld(), certificate, peer: ownedBy("outbound-peer", "relay-uid") });
  assert.deepEqual(adopt, [{ ...certificate, metadata: { ...certificate.metadata, ownerReferences: [owner] } }]);
});
