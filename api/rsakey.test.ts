import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { test } from "node:test";
import { primesOf, rsaKeyOf } from "./rsakey.ts";

const message = Buffer.from("a header block");

for (const modulusLength of [1024, 2048, 2056]) {
  test(`the primes of an RSA key of ${modulusLength} bits make the key that signs the same`, () => {
    const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength });
    const whole = privateKey.export({ format: "jwk" });
    const primes = primesOf(whole);
    assert.ok(primes !== undefined);
    assert.deepEqual(Object.keys(primes), ["p", "q", "qi"]);
    const key = rsaKeyOf(primes);
    assert.deepEqual([key.n, key.e, key.dp, key.dq], [whole.n, whole.e, whole.dp, whole.dq]);
    const again = createPrivateKey({ key: { ...key }, format: "jwk" });
    const signature = sign("sha256", message, again);
    assert.deepEqual(signature, sign("sha256", message, privateKey));
    assert.ok(verify("sha256", message, publicKey, signature));
  });
}

test("a key with another exponent, another modulus, or of another kind is not its primes", () => {
  const odd = generateKeyPairSync("rsa", { modulusLength: 1024, publicExponent: 3 }).privateKey;
  assert.equal(primesOf(odd.export({ format: "jwk" })), undefined);
  const one = generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey.export({ format: "jwk" });
  const other = generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey.export({ format: "jwk" });
  assert.equal(primesOf({ ...one, q: other.q }), undefined);
  assert.equal(primesOf(generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" })), undefined);
});

test("rsaKeyOf() throws for numbers that are no primes of a key", () => {
  for (const p of ["", "AA", "AQ", Buffer.from([1, 0, 2]).toString("base64url")]) {
    assert.throws(() => rsaKeyOf({ p, q: "AQAB", qi: "AQ" }), RangeError);
  }
});
