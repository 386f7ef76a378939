/** What relays that have no other certificate are given, from the authority to the Secret that pods mount. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { LocalKube } from "../../local/kube.ts";
import {
  authoritySecretOf,
  now,
  installation,
  relayOf,
  relayWorld,
  secretOf,
} from "../../test/support/operatorobjects.ts";
import { decodeCertificate } from "../../relay/config/certificate.ts";
import type { Secret } from "../kube/objects.ts";
import { decodeData, encodeData } from "../kube/secret.ts";
import { type IssuedCertificate, leafLifeMs } from "./certificate.ts";
import { caLifeMs, clientAuthorities, issueLeaf, makeCertificateAuthority } from "./issue.ts";
import { shownFingerprint } from "./clientleaf.ts";
import { carryOut } from "../work/carryout.ts";
import { RelayMemory } from "../work/memory.ts";
import { planRelay, type RelayPlan } from "../../test/support/plans.ts";

type Data = Readonly<Record<string, string>>;

interface Stage {
  readonly kube: LocalKube;
  readonly issue: (at?: number, asked?: typeof relay) => Promise<void>;
  /** As it is stored. */
  readonly data: (name: "mailboat-ca" | "outbound-certificate") => Promise<Data>;
  readonly store: (name: "mailboat-ca" | "outbound-certificate", data: Data) => Promise<void>;
  /** For which names the plan asks, or for the authority that they need first, now that this is stored. */
  readonly asks: (at?: number, asked?: typeof relay) => Promise<readonly string[] | undefined>;
}

const relay = relayOf();

const withKeys = (...algorithms: readonly ("ECDSA" | "RSA")[]) => relayOf({ tls: { selfSigned: { algorithms } } });
const names = ["relay.example.com", "outbound.mail.svc", "outbound.mail.svc.cluster.local", "localhost"];
const namespaces = { "mailboat-ca": installation.namespace, "outbound-certificate": "mail" } as const;

async function open(t: TestContext): Promise<Stage> {
  const directory = await mkdtemp(join(tmpdir(), "mailboat-own-"));
  t.after(() => rm(directory, { recursive: true }));
  const kube = new LocalKube({ stateDirectory: directory, now: () => now, onStatus: () => undefined });
  await kube.open();
  await kube.setGiven([{ file: "a", object: relay }]);
  const get = (name: keyof typeof namespaces) => kube.get("Secret", namespaces[name], name);
  const plan = async (at: number, asked: typeof relay): Promise<RelayPlan> => {
    const [authority, certificate] = [await get("mailboat-ca"), await get("outbound-certificate")];
    return planRelay(relayWorld({ now: at, relay: asked, authority, certificate }));
  };
  return {
    kube,
    issue: async (at = now, asked = relay) => {
      // The authority in one look, what it signs in the next.
      for (let look = 0; look < 2; look += 1) {
        const { actions } = await plan(at, asked);
        const clients = actions.filter(
          (one) => (one.kind === "keepAuthority" && one.wanted.of === "clients") || one.kind === "issue",
        );
        const again = () => Promise.reject(new Error("nothing is refused"));
        const means = { kube, memory: new RelayMemory(), giveOrder: () => Promise.resolve(undefined), now: () => at };
        const { namespace, name } = relay.metadata;
        const subject = { kind: "MailRelay", namespace, name, generation: undefined } as const;
        await carryOut(means, { subject, plan: { actions: clients, requeueAfterMs: undefined }, again });
      }
    },
    data: async (name) => {
      const secret = await get(name);
      assert.ok(secret);
      return decodeData(secret);
    },
    store: async (name, data) => {
      const secret = await get(name);
      assert.ok(secret);
      await kube.apply({ ...secret, data: encodeData(data) });
    },
    asks: async (at = now, asked = relay) => {
      const { keep, issueFor } = await plan(at, asked);
      return keep.includes("clients") ? ["an authority"] : issueFor;
    },
  };
}

function without(data: Data, ...keys: readonly string[]): Data {
  return Object.fromEntries(Object.entries(data).filter(([key]) => !keys.includes(key)));
}

const leafOf = (data: Data, pair: "tls" | "rsa"): X509Certificate => new X509Certificate(data[`${pair}.crt`] ?? "");

test("a relay is given an ECDSA and an RSA certificate, and ca.crt vouches for both", async (t) => {
  const { issue, data, asks } = await open(t);
  assert.deepEqual(await asks(), ["an authority"]);
  await issue();
  const [authority, certificate] = [await data("mailboat-ca"), await data("outbound-certificate")];
  assert.equal(certificate["ca.crt"], `${authority["tls.crt"] ?? ""}${authority["rsa.crt"] ?? ""}`);
  for (const [pair, kind] of [
    ["tls", "ec"],
    ["rsa", "rsa"],
  ] as const) {
    const leaf = leafOf(certificate, pair);
    const issuer = leafOf(authority, pair);
    assert.equal(leaf.publicKey.asymmetricKeyType, kind);
    assert.equal(issuer.publicKey.asymmetricKeyType, kind, "a device that knows one kind verifies all of the chain");
    assert.ok(leaf.checkIssued(issuer) && leaf.verify(issuer.publicKey));
    assert.equal(leaf.checkHost("outbound.mail.svc"), "outbound.mail.svc");
  }
  const shown = execFileSync("openssl", ["x509", "-noout", "-ext", "keyUsage"], { input: certificate["rsa.crt"] });
  assert.match(shown.toString(), /Digital Signature, Key Encipherment/, "for devices that are too old for ECDHE");
  assert.notEqual(leafOf(authority, "tls").subject, leafOf(authority, "rsa").subject);
  assert.equal(await asks(), undefined);
  await issue();
  assert.deepEqual(await data("outbound-certificate"), certificate, "what serves stays");
  assert.deepEqual(await data("mailboat-ca"), authority);
});

test("an installation of before gets the RSA half, and its ECDSA half stays as it is", async (t) => {
  const { kube, issue, data, store, asks } = await open(t);
  await issue();
  const whole = await data("mailboat-ca");
  await store("mailboat-ca", { ...without(whole, "rsa.crt", "rsa.key"), "ca.crt": whole["tls.crt"] ?? "" });
  const served = await data("outbound-certificate");
  await store("outbound-certificate", { ...without(served, "rsa.crt", "rsa.key"), "ca.crt": whole["tls.crt"] ?? "" });
  const before = { authority: await data("mailboat-ca"), certificate: await data("outbound-certificate") };
  assert.deepEqual(await asks(), ["an authority"]);
  const fingerprint = shownFingerprint(await kube.get("Secret", "mail", "outbound-certificate"));
  assert.equal(fingerprint, leafOf(served, "tls").fingerprint256.replaceAll(":", "").toLowerCase());
  await issue();
  for (const [name, old] of [
    ["mailboat-ca", before.authority],
    ["outbound-certificate", before.certificate],
  ] as const) {
    const after = await data(name);
    assert.deepEqual(without(after, "rsa.crt", "rsa.key", "ca.crt"), without(old, "ca.crt"));
    assert.ok(after["ca.crt"]?.startsWith(old["ca.crt"] ?? "?"), "who took the first of the file takes it still");
    assert.equal(leafOf(after, "rsa").publicKey.asymmetricKeyType, "rsa");
  }
  assert.equal(await asks(), undefined);
});

test("either half is renewed alone, and what pods report tells so", async (t) => {
  const { kube, issue, data, store, asks } = await open(t);
  await issue();
  const first = await data("outbound-certificate");
  const authority = await data("mailboat-ca");
  for (const [pair, other] of [
    ["rsa", "tls"],
    ["tls", "rsa"],
  ] as const) {
    const signing = {
      certificate: authority[`${pair}.crt`] ?? "",
      privateKey: authority[`${pair}.key`] ?? "",
    };
    const aged = await issueLeaf({ authority: signing, names, now: now - (leafLifeMs * 7) / 10 });
    await store("outbound-certificate", {
      ...first,
      [`${pair}.crt`]: aged.certificate,
      [`${pair}.key`]: aged.privateKey,
    });
    const shown = async (): Promise<string | undefined> =>
      shownFingerprint(await kube.get("Secret", "mail", "outbound-certificate"));
    const old = await shown();
    assert.deepEqual(await asks(), names);
    await issue();
    const renewed = await data("outbound-certificate");
    assert.notEqual(renewed[`${pair}.crt`], aged.certificate);
    assert.equal(renewed[`${other}.crt`], first[`${other}.crt`]);
    const latest = await shown();
    assert.notEqual(latest, old);
    assert.equal(latest, decodeCertificate(renewed)?.fingerprint, "a pod reports what the operator waits for");
    assert.equal(await asks(), undefined);
  }
});

test("an authority that a person gave signs one certificate, and what was of RSA goes", async (t) => {
  const { kube, issue, data, asks } = await open(t);
  await issue();
  const given = await makeCertificateAuthority(now, clientAuthorities.ECDSA);
  const authority = await kube.get("Secret", installation.namespace, "mailboat-ca");
  assert.ok(authority);
  await kube.apply({
    ...authority,
    data: encodeData({ "tls.crt": given.certificate, "tls.key": given.privateKey }),
  });
  assert.deepEqual(await asks(), names);
  await issue();
  assert.deepEqual(Object.keys(await data("outbound-certificate")).sort(), ["ca.crt", "tls.crt", "tls.key"]);
  assert.equal(await asks(), undefined);
});

const lasting = await makeCertificateAuthority(now, clientAuthorities.RSA);
const theirs: readonly (readonly [what: string, given: IssuedCertificate, leaf: "rsa" | "ec"])[] = [
  ["an RSA key", lasting, "rsa"],
  ["an RSA key in PKCS#1", spelled(lasting, "pkcs1"), "rsa"],
  ["an ECDSA key in SEC1", spelled(await makeCertificateAuthority(now), "sec1"), "ec"],
  ["a key on the curve P-384", await onCurve("P-384"), "ec"],
  ["a key on the curve P-521", await onCurve("P-521"), "ec"],
  ["no line feed at its end", { ...lasting, certificate: lasting.certificate.trimEnd() }, "rsa"],
  ["eighty days left", await makeCertificateAuthority(now - caLifeMs + 80 * 86_400_000), "ec"],
];

function spelled({ certificate, privateKey }: IssuedCertificate, type: "pkcs1" | "sec1"): IssuedCertificate {
  return { certificate, privateKey: createPrivateKey(privateKey).export({ type, format: "pem" }).toString() };
}

function onCurve(namedCurve: string): Promise<IssuedCertificate> {
  return authorityWith(generateKeyPairSync("ec", { namedCurve }).privateKey);
}

async function authorityWith(key: KeyObject): Promise<IssuedCertificate> {
  const directory = await mkdtemp(join(tmpdir(), "mailboat-authority-"));
  const file = join(directory, "tls.key");
  const privateKey = key.export({ type: "pkcs8", format: "pem" }).toString();
  await writeFile(file, privateKey);
  const asked = ["req", "-x509", "-new", "-key", file, "-subj", "/CN=Their CA", "-days", "3650"];
  const certificate = execFileSync("openssl", asked).toString();
  await rm(directory, { recursive: true });
  return { certificate, privateKey };
}

for (const [what, given, kind] of theirs) {
  test(`an authority that a person gave with ${what} signs one certificate, which stays`, async (t) => {
    const { issue, data, store, asks } = await open(t);
    await issue();
    await store("mailboat-ca", { "tls.crt": given.certificate, "tls.key": given.privateKey });
    assert.deepEqual(await asks(), names);
    await issue();
    const certificate = await data("outbound-certificate");
    assert.equal(certificate["ca.crt"], `${given.certificate.trimEnd()}\n`);
    const leaf = leafOf(certificate, "tls");
    assert.equal(leaf.publicKey.asymmetricKeyType, kind);
    assert.ok(leaf.verify(new X509Certificate(given.certificate).publicKey));
    assert.deepEqual([await asks(), "rsa.crt" in certificate], [undefined, false]);
  });
}

const ed25519 = await authorityWith(generateKeyPairSync("ed25519").privateKey);
const useless: readonly (readonly [kind: string, given: IssuedCertificate])[] = [
  ["ed25519", ed25519],
  ["EC on the curve secp256k1", await onCurve("secp256k1")],
];

for (const [kind, given] of useless) {
  test(`an authority that a person gave with a key that signs nothing here (${kind}) is told of, and nothing is asked of it`, async (t) => {
    const { issue, data, store, asks } = await open(t);
    await issue();
    const before = await data("outbound-certificate");
    await store("mailboat-ca", { "tls.crt": given.certificate, "tls.key": given.privateKey });
    assert.equal(await asks(), undefined);
    await issue();
    assert.deepEqual(await data("outbound-certificate"), before, "pods go on with what they have");
    const authority = authoritySecretOf(given);
    const judged = (certificate?: Secret) =>
      planRelay(relayWorld({ authority, certificate })).status.conditions?.find(
        ({ type }) => type === "CertificateReady",
      );
    const words = `the authority in Secret mailboat-system/mailboat-ca has a key of a kind that signs no certificate here (${kind}): put one there`;
    const lacking = judged();
    assert.deepEqual([lacking?.status, lacking?.reason], ["False", "SecretInvalid"]);
    assert.ok(lacking?.message.startsWith(`spec.tls.selfSigned: ${words}`), lacking?.message);
    const kept = judged(secretOf({ name: "outbound-certificate", values: before }));
    assert.equal(kept?.status, "True");
    assert.ok(kept.message.includes(`; it is not renewed: spec.tls.selfSigned: ${words}`), kept.message);
  });
}

const halves: readonly (readonly [
  what: string,
  given: readonly [tls: IssuedCertificate, rsa: IssuedCertificate],
  leaf: "rsa" | "ec",
  lacking: "ECDSA" | "RSA",
])[] = [
  ["the RSA one, beside one of Ed25519", [ed25519, lasting], "rsa", "ECDSA"],
  ["the ECDSA one, beside one of Ed25519", [await onCurve("P-384"), ed25519], "ec", "RSA"],
];

for (const [what, [tls, rsa], kind, lacking] of halves) {
  test(`of an authority that a person gave the half that can sign does (${what})`, async (t) => {
    const { issue, data, store, asks } = await open(t);
    await issue();
    const given = {
      "tls.crt": tls.certificate,
      "tls.key": tls.privateKey,
      "rsa.crt": rsa.certificate,
      "rsa.key": rsa.privateKey,
    };
    await store("mailboat-ca", given);
    const able = lacking === "RSA" ? "ECDSA" : "RSA";
    assert.deepEqual(await asks(now, withKeys(able)), names);
    await issue(now, withKeys(able));
    const served = await data("outbound-certificate");
    assert.deepEqual([leafOf(served, "tls").publicKey.asymmetricKeyType, "rsa.crt" in served], [kind, false]);
    assert.ok(leafOf(served, "tls").verify(leafOf(given, kind === "rsa" ? "rsa" : "tls").publicKey));
    for (const asked of [relay, withKeys(able), withKeys("ECDSA", "RSA"), withKeys(lacking)]) {
      assert.equal(await asks(now, asked), undefined, "what it cannot have is not asked for");
      const authority = secretOf({ name: "mailboat-ca", namespace: installation.namespace, values: given });
      const certificate = secretOf({ name: "outbound-certificate", values: served });
      const judged = planRelay(relayWorld({ relay: asked, authority, certificate })).status.conditions?.find(
        ({ type }) => type === "CertificateReady",
      );
      assert.equal(judged?.status, "True");
      const isAskedFor = asked.spec.tls.selfSigned?.algorithms?.includes(lacking) === true;
      const words = `algorithms asks for ${lacking}, and the authority in Secret mailboat-system/mailboat-ca has no such key`;
      assert.equal(judged.message.includes(words), isAskedFor, judged.message);
      assert.doesNotMatch(judged.message, /not renewed/);
    }
  });
}

test("a relay is given keys of the kinds that its manifest names, and no others", async (t) => {
  const { issue, data, asks } = await open(t);
  await issue();
  for (const [algorithms, keys, made] of [
    // What goes takes no new one.
    [["ECDSA"], { tls: "ec" }, []],
    [["RSA"], { tls: "rsa" }, names],
    [["RSA", "ECDSA"], { tls: "ec", rsa: "rsa" }, names],
  ] as const) {
    const asked = withKeys(...algorithms);
    assert.deepEqual(await asks(now, asked), made, algorithms.join());
    await issue(now, asked);
    const certificate = await data("outbound-certificate");
    const pairs = (["tls", "rsa"] as const).filter((pair) => `${pair}.crt` in certificate);
    const kinds = pairs.map((pair) => [pair, leafOf(certificate, pair).publicKey.asymmetricKeyType]);
    assert.deepEqual(Object.fromEntries(kinds), keys);
    assert.ok(decodeCertificate(certificate) !== undefined, "a relay takes it");
    assert.equal(await asks(now, asked), undefined);
  }
});
