import assert from "node:assert/strict";
import { test } from "node:test";
import { now, secretOf } from "../../test/support/operatorobjects.ts";
import { managedByLabel } from "../../api/labels.ts";
import type { Secret } from "../kube/objects.ts";
import { type KeyAlgorithm, leafLifeMs, type IssuedCertificate } from "./certificate.ts";
import { caLifeMs, clientAuthorities, makeCertificateAuthority } from "./issue.ts";
import { decideClientAuthority } from "./clientauthority.ts";

const dayMs = 86_400_000;

/** One with so many days left. */
async function authority(days: number, algorithm: KeyAlgorithm = "ECDSA"): Promise<IssuedCertificate> {
  return makeCertificateAuthority(now - caLifeMs + days * dayMs, clientAuthorities[algorithm]);
}

interface Stored {
  readonly signing: IssuedCertificate;
  readonly next?: IssuedCertificate;
  readonly bundle?: readonly IssuedCertificate[];
}

const pairNames = { ECDSA: ["tls", "next"], RSA: ["rsa", "rsa-next"] } as const;

function pairsOf({ signing, next }: Stored, algorithm: KeyAlgorithm): Record<string, string> {
  const [own, following] = pairNames[algorithm];
  const pairs = { [`${own}.crt`]: signing.certificate, [`${own}.key`]: signing.privateKey };
  if (next === undefined) return pairs;
  return { ...pairs, [`${following}.crt`]: next.certificate, [`${following}.key`]: next.privateKey };
}

const pem = (...all: readonly IssuedCertificate[]): string => all.map(({ certificate }) => certificate).join("");

/** What a person gave, of one kind of key. */
function given(signing: IssuedCertificate): Secret {
  return secretOf({ name: "mailboat-ca", values: pairsOf({ signing }, "ECDSA") });
}

for (const algorithm of ["ECDSA", "RSA"] as const) {
  const beside = algorithm === "ECDSA" ? "RSA" : "ECDSA";
  const other = await authority(3_000, beside);
  const [young, middle, old, expired] = [
    await authority(3_000, algorithm),
    await authority(170, algorithm),
    await authority(80, algorithm),
    await authority(-1, algorithm),
  ];
  const whole = { signing: other, next: undefined };
  const bundled = (...own: readonly IssuedCertificate[]): string =>
    algorithm === "ECDSA" ? pem(...own, other) : pem(other, ...own);
  const stored = (one: Stored): Secret => {
    const values = { ...pairsOf(one, algorithm), ...pairsOf({ signing: other }, beside) };
    const bundle = one.bundle === undefined ? {} : { "ca.crt": bundled(...one.bundle) };
    return secretOf({ name: "mailboat-ca", values: { ...values, ...bundle } });
  };
  const makes = (signing: IssuedCertificate | undefined, ...earlier: readonly IssuedCertificate[]): object => ({
    kind: "make",
    halves: {
      [algorithm]: { kind: "lacking", signing, earlier: earlier.map(({ certificate }) => certificate) },
    },
  });
  const settles = (kind: "keep" | "write", one: Stored, ...bundle: readonly IssuedCertificate[]): object => ({
    kind,
    authority: {
      [algorithm]: { signing: one.signing, next: one.next },
      [beside]: whole,
      bundle: bundled(...bundle),
    },
  });

  const rows: readonly (readonly [string, Secret, object])[] = [
    ["one far from its end", stored({ signing: young, bundle: [young] }), settles("keep", { signing: young }, young)],
    ["one that a person gave", stored({ signing: young }), settles("keep", { signing: young }, young)],
    [
      "one that will outlive a single certificate only, with none after it",
      stored({ signing: middle, bundle: [middle] }),
      makes(middle, middle, middle),
    ],
    [
      "one that signs while clients learn of the next",
      stored({ signing: middle, next: young, bundle: [middle, young] }),
      settles("keep", { signing: middle, next: young }, middle, young),
    ],
    [
      "one at its end, with the next known to clients",
      stored({ signing: old, next: young, bundle: [old, young] }),
      settles("write", { signing: young }, young, old),
    ],
    [
      "the next, while certificates of the one before are in use",
      stored({ signing: young, bundle: [young, old] }),
      settles("keep", { signing: young }, young, old),
    ],
    [
      "the one before has run out",
      stored({ signing: young, bundle: [young, expired] }),
      settles("write", { signing: young }, young),
    ],
    [
      "one at its end, with none after it: no time is left for clients",
      stored({ signing: old, bundle: [old] }),
      makes(undefined, old, old),
    ],
  ];

  for (const [what, secret, wanted] of rows) {
    test(`decideClientAuthority(), ${algorithm}: ${what}`, () => {
      const decision = decideClientAuthority(secret, now);
      if (decision.kind !== "make") return assert.deepEqual(decision, wanted);
      const { [beside]: untouched, [algorithm]: lacking } = decision.halves;
      assert.deepEqual([untouched?.kind, untouched?.signing], ["whole", other], "the other kind stays");
      assert.deepEqual({ kind: "make", halves: { [algorithm]: lacking } }, wanted);
    });
  }

  test(`an authority is followed by one that clients have known for the life of a certificate: ${algorithm}`, () => {
    // Between the two is when both are given out and only the first one signs.
    const from = decideClientAuthority(stored({ signing: middle, bundle: [middle] }), now);
    assert.equal(from.kind, "make");
    const later = now + (170 * dayMs - leafLifeMs);
    const [before, at] = [later - dayMs, later + dayMs].map((time) =>
      decideClientAuthority(stored({ signing: middle, next: young, bundle: [middle, young] }), time),
    );
    assert.equal(before?.kind, "keep");
    assert.ok(at?.kind === "write");
    assert.deepEqual(at.authority[algorithm]?.signing, young);
  });
}

const [ours, spare] = [await authority(3_000), await authority(3_000, "RSA")];

test("none at all: both are made", () => {
  const lacking = { kind: "lacking", signing: undefined, earlier: [] };
  assert.deepEqual(decideClientAuthority(undefined, now), {
    kind: "make",
    halves: { ECDSA: lacking, RSA: lacking },
  });
});

const ofBefore = given(ours);
const labels = { [managedByLabel]: "mailboat-operator" };
for (const [what, secret] of [
  [
    "made before there was RSA",
    { ...ofBefore, data: { ...ofBefore.data, ...secretOf({ name: "x", values: { "ca.crt": pem(ours) } }).data } },
  ],
  ["with the operator's label", { ...ofBefore, metadata: { ...ofBefore.metadata, labels } }],
] as const) {
  test(`an authority of the operator's own ${what} gets an RSA one beside it, and stays`, () => {
    const decision = decideClientAuthority(secret, now);
    assert.ok(decision.kind === "make");
    const { ECDSA, RSA } = decision.halves;
    assert.deepEqual([ECDSA.kind, ECDSA.signing], ["whole", ours]);
    assert.deepEqual(RSA, { kind: "lacking", signing: undefined, earlier: [] });
  });
}

test("to an authority that a person gave nothing is added, and an RSA one that they gave beside it signs", async () => {
  const alone = { signing: ours, next: undefined };
  assert.deepEqual(decideClientAuthority(given(ours), now), {
    kind: "keep",
    authority: { ECDSA: alone, RSA: undefined, bundle: pem(ours) },
  });
  const foreign = await makeCertificateAuthority(now, { name: "Their CA", algorithm: "ECDSA", lifeMs: caLifeMs });
  const values = { ...pairsOf({ signing: foreign }, "ECDSA"), "ca.crt": pem(foreign) };
  const byCertManager = decideClientAuthority(secretOf({ name: "mailboat-ca", values }), now);
  assert.ok(byCertManager.kind === "keep");
  assert.equal(byCertManager.authority.RSA, undefined);
  const root = await makeCertificateAuthority(now, { name: "Their root", algorithm: "RSA", lifeMs: caLifeMs });
  for (const signing of [foreign, spare]) {
    const beside = { ...pairsOf({ signing }, "ECDSA"), "ca.crt": pem(root) };
    assert.deepEqual(decideClientAuthority(secretOf({ name: "mailboat-ca", values: beside }), now), {
      kind: "keep",
      authority: {
        ECDSA: { signing, next: undefined },
        RSA: undefined,
        bundle: signing === spare ? pem(spare, root) : pem(foreign, root),
      },
    });
  }
  const both = { ...pairsOf({ signing: ours }, "ECDSA"), ...pairsOf({ signing: spare }, "RSA") };
  assert.deepEqual(decideClientAuthority(secretOf({ name: "mailboat-ca", values: both }), now), {
    kind: "keep",
    authority: { ECDSA: alone, RSA: { signing: spare, next: undefined }, bundle: pem(ours, spare) },
  });
});
