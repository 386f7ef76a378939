import assert from "node:assert/strict";
import { test } from "node:test";
import { now, secretOf } from "../../../test/support/operatorobjects.ts";
import type { Secret } from "../../kube/objects.ts";
import { leafLifeMs } from "../certificate.ts";
import { caLifeMs, makeCertificateAuthority } from "../issue.ts";
import type { IssuedCertificate } from "../world.ts";
import { decideClientAuthority } from "./authority.ts";

const dayMs = 86_400_000;

/** One with so many days left. */
async function authority(days: number): Promise<IssuedCertificate> {
  return makeCertificateAuthority(now - caLifeMs + days * dayMs);
}

interface Stored {
  readonly signing: IssuedCertificate;
  readonly next?: IssuedCertificate;
  readonly bundle?: readonly IssuedCertificate[];
}

function stored({ signing, next, bundle }: Stored): Secret {
  const following = next === undefined ? {} : { "next.crt": next.certificate, "next.key": next.privateKey };
  const all = bundle === undefined ? {} : { "ca.crt": pem(...bundle) };
  const values = { "tls.crt": signing.certificate, "tls.key": signing.privateKey, ...following, ...all };
  return secretOf({ name: "mailboat-ca", values });
}

const pem = (...all: readonly IssuedCertificate[]): string => all.map(({ certificate }) => certificate).join("");

const [young, middle, old, expired] = [
  await authority(3_000),
  await authority(170),
  await authority(80),
  await authority(-1),
];

const made = { kind: "make", signing: undefined } as const;
const rows: readonly (readonly [string, Secret | undefined, object])[] = [
  ["none at all", undefined, { ...made, earlier: [] }],
  [
    "one far from its end",
    stored({ signing: young, bundle: [young] }),
    { kind: "keep", authority: { signing: young, next: undefined, bundle: pem(young) } },
  ],
  [
    "one that a person gave",
    stored({ signing: young }),
    { kind: "keep", authority: { signing: young, next: undefined, bundle: pem(young) } },
  ],
  [
    "one that will outlive a single certificate only, with none after it",
    stored({ signing: middle, bundle: [middle] }),
    { kind: "make", signing: middle, earlier: [middle.certificate, middle.certificate] },
  ],
  [
    "one that signs while clients learn of the next",
    stored({ signing: middle, next: young, bundle: [middle, young] }),
    { kind: "keep", authority: { signing: middle, next: young, bundle: pem(middle, young) } },
  ],
  [
    "one at its end, with the next known to clients",
    stored({ signing: old, next: young, bundle: [old, young] }),
    { kind: "write", authority: { signing: young, next: undefined, bundle: pem(young, old) } },
  ],
  [
    "the next, while certificates of the one before are in use",
    stored({ signing: young, bundle: [young, old] }),
    { kind: "keep", authority: { signing: young, next: undefined, bundle: pem(young, old) } },
  ],
  [
    "the one before has run out",
    stored({ signing: young, bundle: [young, expired] }),
    { kind: "write", authority: { signing: young, next: undefined, bundle: pem(young) } },
  ],
  [
    "one at its end, with none after it: no time is left for clients",
    stored({ signing: old, bundle: [old] }),
    { ...made, earlier: [old.certificate, old.certificate] },
  ],
];

for (const [what, secret, wanted] of rows) {
  test(`decideClientAuthority(): ${what}`, () => {
    assert.deepEqual(decideClientAuthority(secret, now), wanted);
  });
}

test("an authority is followed by one that clients have known for the life of a certificate", () => {
  // Between the two is when both are given out and only the first one signs.
  const from = decideClientAuthority(stored({ signing: middle, bundle: [middle] }), now);
  assert.equal(from.kind, "make");
  const later = now + (170 * dayMs - leafLifeMs);
  const [before, at] = [later - dayMs, later + dayMs].map((time) =>
    decideClientAuthority(stored({ signing: middle, next: young, bundle: [middle, young] }), time),
  );
  assert.equal(before?.kind, "keep");
  assert.ok(at?.kind === "write");
  assert.deepEqual(at.authority.signing, young);
});
