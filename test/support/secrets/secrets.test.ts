import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createPrivateKey } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { primesOf } from "../../../api/rsakey.ts";
import { makeEd25519Key, makeRsaKey } from "../keys.ts";
import { secretsIn, secretsOfSecret } from "./documents.ts";
import { Search } from "./search.ts";
import { privatePartsOf, spellingsOf } from "./spellings.ts";

const secret = 'Pa"ss wörd/+?&';

function isFound(octets: Buffer, text: string): boolean {
  const search = new Search();
  for (const spelling of spellingsOf(octets)) search.add(spelling, "it");
  return search.in(text).length > 0;
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const ways: readonly (readonly [string, string])[] = [
  ["as it is", `login with ${secret} failed`],
  ["in JSON", JSON.stringify({ error: secret })],
  ["in a URL", `https://host/?token=${encodeURIComponent(secret)}`],
  ["in a form", new URLSearchParams({ password: secret }).toString()],
  ["in base64", base64(secret)],
  ["in base64url", Buffer.from(secret).toString("base64url")],
  ["in hex", Buffer.from(secret).toString("hex")],
  ["in upper-case hex", Buffer.from(secret).toString("hex").toUpperCase()],
  ["in AUTH PLAIN", `AUTH PLAIN ${base64(`\0app\0${secret}`)}`],
  ["in AUTH PLAIN of a longer name", `AUTH PLAIN ${base64(`\0apps\0${secret}`)}`],
  ["in AUTH PLAIN of both names", `AUTH PLAIN ${base64(`apple\0apple\0${secret}`)}`],
  ["in Basic", `Authorization: Basic ${base64(`user:${secret}`)}`],
];
for (const [way, text] of ways) {
  test(`a password is found ${way}`, () => assert.ok(isFound(Buffer.from(secret), text)));
}

test("a password is not found in what is not it", () => {
  assert.ok(!isFound(Buffer.from(secret), "login of shop/app failed: 535 5.7.8 Authentication failed"));
});

test("octets are found in base64 and hex wherever they stand", () => {
  const octets = fc.uint8Array({ minLength: 8, maxLength: 80 });
  fc.assert(
    fc.property(octets, fc.uint8Array({ maxLength: 9 }), fc.uint8Array({ maxLength: 9 }), (inner, before, after) => {
      const whole = Buffer.concat([before, inner, after]);
      for (const encoding of ["base64", "base64url", "hex"] as const) {
        assert.ok(isFound(Buffer.from(inner), `x ${whole.toString(encoding)} y`), encoding);
      }
    }),
  );
});

for (const key of [makeRsaKey("rsa"), makeEd25519Key("ed")]) {
  const parts = privatePartsOf(key.privateKey);
  test(`a private key is found in its PEM and in JSON: ${key.selector}`, () => {
    for (const text of [key.privateKey, JSON.stringify(key), key.privateKey.replaceAll("\n", "")]) {
      assert.ok(parts.some((part) => isFound(part, text)));
    }
  });
  test(`a public key gives no private key away: ${key.selector}`, () => {
    assert.ok(parts.every((part) => !isFound(part, key.record)));
  });
}

test("an RSA key is found as pods hold it, by each of its numbers", () => {
  const { privateKey } = makeRsaKey("rsa");
  const primes = primesOf(createPrivateKey(privateKey).export({ format: "jwk" }));
  assert.ok(primes !== undefined);
  const found = secretsIn({ keys: [{ selector: "rsa", privateKey: primes }] }, "document");
  assert.deepEqual(
    found.map(({ label }) => label),
    ["document keys 0 privateKey p", "document keys 0 privateKey q", "document keys 0 privateKey qi"],
  );
  for (const { octets } of found) {
    const text = JSON.stringify({ selector: "rsa", number: octets.toString("base64url") });
    assert.ok(isFound(octets, text));
    // Whoever reads the PEM file knows what the pod holds.
    assert.ok(privatePartsOf(privateKey).some((part) => isFound(part, text)));
  }
});

test("secrets of a document are found by their names, those of a document within too", () => {
  const document = {
    credentials: [
      { username: "app", scram: { salt: base64("a salt that all may see"), storedKey: base64("stored key") } },
    ],
    smarthosts: [{ host: "mx.example.com", credentials: { username: "us", password: "smarthost password" } }],
    tracing: { headers: { "x-api": "header value" } },
    inner: JSON.stringify({ token: "token within" }),
  };
  const found = secretsIn(document, "document").map(({ label, octets }) => `${label}: ${octets.toString()}`);
  assert.deepEqual(found, [
    "document credentials 0 scram storedKey: stored key",
    "document smarthosts 0 credentials password: smarthost password",
    "document tracing headers x-api: header value",
    "document inner token: token within",
  ]);
});

test("secrets of a Secret are its passwords and keys, and no certificate", () => {
  const { privateKey } = makeEd25519Key("ed");
  const found = secretsOfSecret({
    metadata: { name: "one" },
    data: { password: base64("pass word"), "tls.key": base64(privateKey), "tls.crt": base64("a certificate") },
    stringData: { username: "app-user" },
  });
  assert.deepEqual(
    found.map(({ label }) => label),
    ["Secret one password", "Secret one tls.key"],
  );
});

function endOf(printed: string): { readonly code: number | null; readonly said: string } {
  const script = `
    const { keepSecret } = await import("./test/support/secrets/disclosure.ts");
    const { Program } = await import("./test/support/program.ts");
    const program = new Program({ command: [process.execPath, "--print", ${JSON.stringify(JSON.stringify(printed))}], logFile: "/dev/null" });
    await program.exited;
    keepSecret("the password of a test", "correct horse battery");`;
  const ended = spawnSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" });
  return { code: ended.status, said: ended.stderr };
}

test("a file whose program tells a secret fails, and does not tell it again", () => {
  const { code, said } = endOf("first line\nwrong password: correct horse battery");
  assert.equal(code, 1, said);
  assert.match(said, /the password of a test is told by .*, line 2/);
  assert.doesNotMatch(said, /correct horse battery/);
});

test("a file whose program keeps it does not", () => {
  assert.deepEqual(endOf("wrong password"), { code: 0, said: "" });
});
