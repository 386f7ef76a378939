/** Which certificate a client is shown, as OpenSSL's own client sees and verifies it. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { clientAuthorities, issueLeaf, makeCertificateAuthority } from "../../operator/trust/issue.ts";
import { openBed, snapshotOf, type Bed, type SnapshotWish } from "../../test/support/submission.ts";
import { decodeCertificate } from "../config/certificate.ts";
import type { Files } from "../config/files.ts";

const now = Date.now();
const name = "relay.example.com";
const [ecdsaAuthority, rsaAuthority] = [
  await makeCertificateAuthority(now, clientAuthorities.ECDSA),
  await makeCertificateAuthority(now, clientAuthorities.RSA),
];
const [ecdsa, rsa, newerRsa] = await Promise.all(
  [ecdsaAuthority, rsaAuthority, rsaAuthority].map((authority) => issueLeaf({ authority, names: [name], now })),
);
assert.ok(ecdsa && rsa && newerRsa);

const single: Files = { "tls.crt": ecdsa.certificate, "tls.key": ecdsa.privateKey };
const both: Files = { ...single, "rsa.crt": rsa.certificate, "rsa.key": rsa.privateKey };
const renewed: Files = { ...single, "rsa.crt": newerRsa.certificate, "rsa.key": newerRsa.privateKey };

const submission = { name: "submission", tlsMode: "StartTLS", authentication: "Required" };
const submissions = { name: "submissions", tlsMode: "Implicit", authentication: "Required" };

function snapshot(files: Files, ...more: SnapshotWish["listeners"]): ReturnType<typeof snapshotOf> {
  return snapshotOf({ listeners: [submission, submissions, ...more], certificate: decodeCertificate(files) });
}

const directory = await mkdtemp(join(tmpdir(), "mailboat-keykinds-"));
const trusted = {
  "ca.crt": `${ecdsaAuthority.certificate}${rsaAuthority.certificate}`,
  "ca.crt of before": ecdsaAuthority.certificate,
  "the RSA authority alone": rsaAuthority.certificate,
} as const;
type Trusted = keyof typeof trusted;
for (const [file, text] of Object.entries(trusted)) await writeFile(join(directory, file), text);
const beds: Bed[] = [];
after(async () => {
  for (const bed of beds) await bed.close();
  await rm(directory, { recursive: true });
});

async function bedWith(files: Files): Promise<Bed> {
  const bed = await openBed({ listeners: [submission, submissions], certificate: decodeCertificate(files) });
  beds.push(bed);
  return bed;
}

interface Dial {
  readonly listener: "submission" | "submissions";
  readonly trusts: Trusted;
  readonly options: readonly string[];
}

interface Seen {
  readonly isVerified: boolean;
  readonly certificate: string | undefined;
}

/** What `openssl s_client` makes of a listener. */
function dial(bed: Bed, { listener, trusts, options }: Dial): Promise<Seen> {
  const port = bed.submission.addresses.get(listener) ?? 0;
  const startTls = listener === "submission" ? ["-starttls", "smtp"] : [];
  const trust = ["-CAfile", join(directory, trusts), "-no-CApath", "-verify_return_error", "-verify_hostname", name];
  const args = ["s_client", "-connect", `127.0.0.1:${port}`, ...startTls, ...trust, ...options];
  const { promise, resolve } = Promise.withResolvers<Seen>();
  const client = execFile("openssl", args, { timeout: 30_000 }, (error, stdout) => {
    const [certificate] = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/.exec(stdout) ?? [];
    resolve({ isVerified: error === null && stdout.includes("Verify return code: 0 (ok)"), certificate });
  });
  client.stdin?.end();
  return promise;
}

const rsaSignatures = ["-sigalgs", "RSA-PSS+SHA256:RSA+SHA256"];
const rsaOnly = ["-sigalgs", "RSA+SHA256", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "-tls1_2"];
const rows: readonly (readonly [who: string, options: readonly string[], trusts: Trusted, shown: "ECDSA" | "RSA"])[] = [
  ["a device that knows RSA only", rsaOnly, "ca.crt", "RSA"],
  ["one that takes a single authority", rsaOnly, "the RSA authority alone", "RSA"],
  ["one that offers every cipher", ["-sigalgs", "RSA+SHA256", "-tls1_2"], "ca.crt", "RSA"],
  ["one of TLS 1.3", [...rsaSignatures, "-tls1_3"], "ca.crt", "RSA"],
  ["one without ECDHE", ["-cipher", "AES128-GCM-SHA256", "-tls1_2"], "ca.crt", "RSA"],
  ["a client that knows ECDSA only", ["-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256", "-tls1_2"], "ca.crt", "ECDSA"],
  ["one that knows ECDSA signatures only", ["-sigalgs", "ECDSA+SHA256", "-tls1_3"], "ca.crt", "ECDSA"],
  ["a client of today", [], "ca.crt of before", "ECDSA"],
  ["one of TLS 1.2", ["-tls1_2"], "ca.crt of before", "ECDSA"],
  ["one that prefers RSA", ["-sigalgs", "RSA-PSS+SHA256:RSA+SHA256:ECDSA+SHA256"], "ca.crt of before", "ECDSA"],
  [
    "one that prefers RSA ciphers",
    ["-cipher", "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256", "-tls1_2"],
    "ca.crt of before",
    "ECDSA",
  ],
  [
    "one without AEAD ciphers",
    ["-cipher", "ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA256", "-tls1_2"],
    "ca.crt of before",
    "ECDSA",
  ],
];

for (const [who, options, trusts, shown] of rows) {
  test(`${who} is shown ${shown}, and verifies it with ${trusts}`, async () => {
    const bed = await bedWith(both);
    for (const listener of ["submission", "submissions"] as const) {
      const seen = await dial(bed, { listener, trusts, options });
      assert.deepEqual(seen, { isVerified: true, certificate: (shown === "RSA" ? rsa : ecdsa).certificate }, listener);
    }
  });
}

test("the RSA certificate comes and is renewed while listeners stay open", async () => {
  const bed = await bedWith(single);
  const seenBy = async (options: readonly string[]): Promise<string | undefined> => {
    const seen = await dial(bed, { listener: "submissions", trusts: "ca.crt", options });
    return seen.isVerified ? seen.certificate : undefined;
  };
  const port = bed.submission.addresses.get("submissions");
  assert.equal(await seenBy(rsaOnly), undefined);
  for (const [files, leaf] of [
    [both, rsa],
    [renewed, newerRsa],
  ] as const) {
    const marker = { ...submission, name: `marker-${leaf === rsa ? 1 : 2}` };
    bed.snapshots.set(snapshot(files, marker));
    while (!bed.submission.addresses.has(marker.name)) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(await seenBy(rsaOnly), leaf.certificate);
    assert.equal(await seenBy([]), ecdsa.certificate);
  }
  assert.equal(bed.submission.addresses.get("submissions"), port);
  bed.snapshots.set(snapshot(single, { ...submission, name: "marker-3" }));
  while (!bed.submission.addresses.has("marker-3")) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await seenBy(rsaOnly), undefined, "a certificate that was given is alone");
});
