import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { test } from "node:test";
import { stableSalt } from "../../runtime/scram.ts";
import { scramVerifier } from "./scram.ts";

test("scramVerifier() gives the keys of the exchange in RFC 7677 section 3", async () => {
  const verifier = await scramVerifier({
    password: "pencil",
    salt: Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64"),
    iterations: 4096,
  });
  const message =
    "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096," +
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
  const clientSignature = createHmac("sha256", Buffer.from(verifier.storedKey, "base64")).update(message).digest();
  const proof = Buffer.from("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "base64");
  const clientKey = proof.map((octet, index) => octet ^ (clientSignature[index] ?? 0));
  assert.equal(createHash("sha256").update(clientKey).digest("base64"), verifier.storedKey);
  const serverSignature = createHmac("sha256", Buffer.from(verifier.serverKey, "base64")).update(message);
  assert.equal(serverSignature.digest("base64"), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
});

test("stableSalt() depends on the relay and the user name, and on nothing else", () => {
  assert.deepEqual(stableSalt("mail/outbound", "app"), stableSalt("mail/outbound", "app"));
  assert.notDeepEqual(stableSalt("mail/outbound", "app"), stableSalt("mail/other", "app"));
  assert.notDeepEqual(stableSalt("mail/outbound", "app"), stableSalt("mail/outbound", "erp"));
  assert.equal(stableSalt("mail/outbound", "app").length, 16);
});
