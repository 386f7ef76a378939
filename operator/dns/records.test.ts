import assert from "node:assert/strict";
import { test } from "node:test";
import { makePrivateKey } from "../dkim/makekey.ts";
import { dkimRecord, dmarcRecord, spfRecord, zoneStrings } from "./records.ts";
import { managedSelector, readPrivateKey } from "../dkim/privatekey.ts";

test("dkimRecord() publishes an Ed25519 key as the 32 octets of RFC 8463 appendix A.2", () => {
  const reading = readPrivateKey(
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n",
  );
  assert.deepEqual(reading, {
    kind: "usable",
    algorithm: "ed25519",
    publicKey: "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
  });
  assert.deepEqual(
    dkimRecord("football.example.com", {
      selector: "brisbane",
      algorithm: "ed25519",
      publicKey: "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    }),
    {
      type: "TXT",
      name: "brisbane._domainkey.football.example.com",
      value: "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    },
  );
});

test("zoneStrings() splits a value into strings of at most 255 octets that join to the value", () => {
  const value = `v=DKIM1; k=rsa; p=${"A".repeat(392)}`;
  const strings = zoneStrings(value).split('" "');
  assert.equal(strings.length, 2);
  assert.equal(strings.join("").replaceAll('"', ""), value);
  assert.ok(strings.every((text) => text.replaceAll('"', "").length <= 255));
});

test("spfRecord() and dmarcRecord() name the record that the domain itself and _dmarc carry", () => {
  assert.equal(spfRecord("example.com", { include: ["spf.example.net"] }).value, "v=spf1 include:spf.example.net ~all");
  assert.deepEqual(dmarcRecord("example.com", { policy: "quarantine", reportsTo: ["dmarc@example.com"] }), {
    type: "TXT",
    name: "_dmarc.example.com",
    value: "v=DMARC1; p=quarantine; rua=mailto:dmarc@example.com",
  });
});

test("makePrivateKey() makes keys that readPrivateKey() finds usable", async () => {
  for (const [algorithm, name] of [
    ["RSA2048", "rsa"],
    ["Ed25519", "ed25519"],
  ] as const) {
    const reading = readPrivateKey(await makePrivateKey(algorithm));
    assert.equal(reading.kind === "usable" ? reading.algorithm : reading.kind, name);
  }
});

test("readPrivateKey() says why a key cannot sign", () => {
  assert.deepEqual(readPrivateKey("hello"), {
    kind: "invalid",
    why: "it is not a private key in PEM without a passphrase",
  });
});

test("managedSelector() differs by algorithm and key", () => {
  assert.deepEqual(
    [managedSelector("RSA2048", "a"), managedSelector("Ed25519", "a"), managedSelector("RSA2048", "b")],
    ["mbrca978112ca", "mbeca978112ca", "mbr3e23e81600"],
  );
});
