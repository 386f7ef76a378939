/**
 * What the operator and a relay's pods show each other on the administration port: right from the start, renewed before it
 * runs out, repaired when somebody edits it, and signed by an authority that clients never see.
 */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { after, before, test } from "node:test";
import type { RawObject } from "../../operator/kube/client/resource.ts";
import { ownerIn } from "../../operator/kube/cluster/owner.ts";
import { resourceOf } from "../../operator/kube/cluster/resources.ts";
import { secretView } from "../../operator/kube/cluster/views.ts";
import { encodeData, secretText } from "../../operator/kube/secret.ts";
import { internalAuthority, issueLeaf, makeCertificateAuthority } from "../../operator/trust/issue.ts";
import { authoritySecretName, internalAuthoritySecretName } from "../../operator/owned/names.ts";
import { relayManifest } from "../support/controlplane/manifests.ts";
import { type Named, OperatorStage } from "../support/controlplane/operatorstage.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";

const skip = lackingControlPlane();
const dayMs = 86_400_000;
let stage: OperatorStage;
let namespace: string;
let peer: Named;
let authority: Named;

before(
  async () => {
    if (skip !== false) return;
    stage = await OperatorStage.open(import.meta.url);
    await stage.operator().leading();
    namespace = stage.makeNamespace();
    peer = { namespace, name: "outbound-peer" };
    authority = { namespace: stage.operatorNamespace, name: internalAuthoritySecretName };
    // Two at once find no authority, and one must come of it.
    stage.apply(relayManifest({ namespace, name: "outbound" }), relayManifest({ namespace, name: "inbound" }));
    for (const name of ["outbound", "inbound"]) {
      await stage.until("StatefulSet", { namespace, name }, { what: "is there", fits: () => true });
    }
    await stage.untilQuiet();
  },
  { timeout: 1_800_000 },
);

after(async () => {
  if (skip === false) await stage.close();
});

function text(object: RawObject, key: string): string {
  return secretText(secretView(object), key) ?? "";
}

function leafOf(object: RawObject): X509Certificate {
  return new X509Certificate(text(object, "tls.crt"));
}

async function write(place: Named, values: Readonly<Record<string, string>>): Promise<void> {
  const body = { data: encodeData(values) };
  await stage.client.mergePatch(resourceOf("Secret"), place, { body, fieldManager: "kubectl-edit" });
}

/** The peer Secret once it has another certificate, of the authority that is in force then. */
async function untilAnotherThan(last: X509Certificate): Promise<RawObject> {
  return stage.until("Secret", peer, {
    what: "another certificate",
    fits: (object) => leafOf(object).serialNumber !== last.serialNumber,
    deadlineMs: 5_000,
  });
}

test(
  "each relay has a certificate of its own, and all are of one authority that is not the clients'",
  { skip },
  async () => {
    const kept = await stage.read("Secret", authority);
    const issuer = leafOf(kept);
    assert.equal(issuer.ca, true);
    assert.equal(text(kept, "ca.crt"), text(kept, "tls.crt"));
    for (const name of ["outbound", "inbound"]) {
      const secret = await stage.read("Secret", { namespace, name: `${name}-peer` });
      const leaf = leafOf(secret);
      assert.ok(leaf.verify(issuer.publicKey));
      assert.equal(leaf.subjectAltName, `URI:mailboat://relay/${namespace}/${name}`);
      assert.equal(text(secret, "ca.crt"), text(kept, "ca.crt"));
      assert.equal(ownerIn(secret, namespace)?.name, name);
    }
    const clients = await stage.read("Secret", { namespace: stage.operatorNamespace, name: authoritySecretName });
    assert.notEqual(text(clients, "tls.crt"), text(kept, "tls.crt"));
  },
);

test("a certificate of which a third of its life is left is renewed", { skip }, async () => {
  const kept = await stage.read("Secret", authority);
  const issuer = { certificate: text(kept, "tls.crt"), privateKey: text(kept, "tls.key") };
  const uris = [`mailboat://relay/${namespace}/outbound`];
  const old = await issueLeaf({ authority: issuer, names: [], uris, isClient: true, now: Date.now() - 61 * dayMs });
  await write(peer, { "tls.crt": old.certificate, "tls.key": old.privateKey });
  const renewed = leafOf(await untilAnotherThan(new X509Certificate(old.certificate)));
  assert.ok(Date.parse(renewed.validTo) > Date.now() + 89 * dayMs);
});

const edits: readonly (readonly [string, () => Promise<void>])[] = [
  ["its certificate", () => write(peer, { "tls.crt": "spoilt" })],
  [
    "its authorities",
    async () => {
      const stranger = await makeCertificateAuthority(Date.now(), internalAuthority);
      await write(peer, { "ca.crt": stranger.certificate });
    },
  ],
];
for (const [what, edit] of edits) {
  test(`${what} that somebody edited is made anew`, { skip }, async () => {
    const last = leafOf(await stage.read("Secret", peer));
    await edit();
    const kept = await stage.read("Secret", authority);
    const repaired = await stage.until("Secret", peer, {
      what: "a certificate of the authority",
      fits: (object) => text(object, "tls.crt") !== "spoilt" && leafOf(object).serialNumber !== last.serialNumber,
      deadlineMs: 5_000,
    });
    assert.ok(leafOf(repaired).verify(leafOf(kept).publicKey));
    assert.equal(text(repaired, "ca.crt"), text(kept, "ca.crt"));
  });
}

test("its label and owner come back", { skip }, async () => {
  const was = await stage.read("Secret", peer);
  const body = { metadata: { labels: { "mailboat.dev/relay": "other" } } };
  await stage.client.mergePatch(resourceOf("Secret"), peer, { body, fieldManager: "kubectl-edit" });
  await stage.until("Secret", peer, {
    what: "the label as it was",
    fits: ({ metadata }) => metadata.labels?.["mailboat.dev/relay"] === "outbound",
    deadlineMs: 5_000,
  });
  assert.equal(leafOf(await stage.read("Secret", peer)).serialNumber, leafOf(was).serialNumber);
});

test("an authority that grows old is followed by a new one, and both are believed", { skip }, async () => {
  const last = leafOf(await stage.read("Secret", peer));
  const old = await makeCertificateAuthority(Date.now() - 250 * dayMs, internalAuthority);
  await write(authority, { "tls.crt": old.certificate, "tls.key": old.privateKey, "ca.crt": old.certificate });
  const kept = await stage.until("Secret", authority, {
    what: "a new authority",
    fits: (object) => text(object, "tls.crt") !== old.certificate,
    deadlineMs: 5_000,
  });
  assert.equal(text(kept, "ca.crt"), text(kept, "tls.crt") + old.certificate);
  const renewed = await untilAnotherThan(last);
  await stage.until("Secret", peer, {
    what: "a certificate of the new authority",
    fits: (object) => leafOf(object).verify(leafOf(kept).publicKey),
    deadlineMs: 5_000,
  });
  assert.equal(text(renewed, "ca.crt"), text(kept, "ca.crt"));
  await stage.untilQuiet();
});
