import assert from "node:assert/strict";
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { test } from "node:test";
import { dkimVerify } from "mailauth/lib/dkim/verify.js";
import { RelaxedBodyHash } from "./bodyhash.ts";
import { completeSignature, prepareSignature, relaxField, selectHeader } from "./dkim.ts";

const relaxRows: readonly { field: string; relaxed: string }[] = [
  { field: "SUBJect: AbC\r\n", relaxed: "subject:AbC" },
  { field: "Subject \t:  A \t b  \r\n\t c \r\n", relaxed: "subject:A b c" },
  { field: "X:", relaxed: "x:" },
  { field: "X: \r\n ", relaxed: "x:" },
  { field: "X: a:b", relaxed: "x:a:b" },
  { field: "X: \xa0a\xa0", relaxed: "x:\xa0a\xa0" },
];

for (const { field, relaxed } of relaxRows) {
  test(`relaxField() makes ${JSON.stringify(relaxed)} of ${JSON.stringify(field)}`, () => {
    assert.equal(relaxField(field), relaxed);
  });
}

const over = ["From", "To", "Subject", "Date", "Message-ID", "Reply-To", "MIME-Version", "Content-Type"];

test("selectHeader() signs the fields of RFC 6376 from the bottom up, and what decides once more", () => {
  const header = [
    "Received: by a\r\n",
    "Return-Path: <x@y>\r\n",
    "Bcc: secret@example.com\r\n",
    "Resent-Bcc: secret@example.com\r\n",
    "traceparent: 00-1\r\n",
    "X-Mine: 1\r\n",
    "List-Of-My-Own: 1\r\n",
    "Resent-Mine: 1\r\n",
    "From: a@example.com\r\n",
    "To: one@example.net,\r\n two@example.net\r\n",
    "To: three@example.net\r\n",
    "List-Id: <l.example.com>\r\n",
    "Resent-To: r@example.com\r\n",
  ].join("");
  const { names, canonical } = selectHeader(Buffer.from(header));
  assert.deepEqual(names, ["Resent-To", "List-Id", "To", "To", "From", ...over]);
  assert.equal(
    canonical,
    "resent-to:r@example.com\r\nlist-id:<l.example.com>\r\nto:three@example.net\r\n" +
      "to:one@example.net, two@example.net\r\nfrom:a@example.com\r\n",
  );
});

test("a signature is bounded whatever the header: of a field that repeats without end some are signed", () => {
  const many = (name: string): string => `${name}: x@example.com\r\n`.repeat(2000);
  const { names } = selectHeader(
    Buffer.from(`From: a@example.com\r\n${many("Cc")}${many("To")}${many("List-Unsubscribe")}`),
  );
  const count = (name: string): number => names.filter((each) => each === name).length;
  assert.deepEqual([count("Cc"), count("To"), count("List-Unsubscribe"), count("From")], [20, 20, 20, 2]);
});

/** RFC 8463 appendix A: its message, keys, and the Ed25519 signature it must give. */
test("prepareSignature() signs the bytes that RFC 8463 appendix A signs", () => {
  const header =
    "From: Joe SixPack <joe@football.example.com>\r\nTo: Suzie Q <suzie@shopping.example.net>\r\n" +
    "Subject: Is dinner ready?\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n" +
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n";
  const hash = new RelaxedBodyHash();
  hash.update(Buffer.from("Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"));
  const bodyHash = hash.digest();
  assert.equal(bodyHash, "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=");
  const signatureField =
    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; i=@football.example.com;\r\n" +
    " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n subject : date : message-id : from : subject : date;\r\n" +
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; b=";
  const fields = header.split("\r\n").filter((field) => field !== "");
  const signed = `${fields.map((field) => `${relaxField(field)}\r\n`).join("")}${relaxField(signatureField)}`;
  const seed = Buffer.from("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=", "base64");
  const key = createPrivateKey({
    key: Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]),
    format: "der",
    type: "pkcs8",
  });
  const digest = createHash("sha256").update(signed).digest();
  assert.equal(
    sign(null, digest, key).toString("base64"),
    "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==",
  );
});

const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const edwards = generateKeyPairSync("ed25519");
const messageHeader =
  "Received: from x by y;\r\n\tdate\r\nFrom: =?utf-8?q?J=C3=BC?= <j@example.com>\r\nTo: a@example.net,\r\n b@example.net\r\n" +
  "Subject:  two  spaces \r\nDate: Tue, 24 Nov 2026 00:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n" +
  "MIME-Version: 1.0\r\nContent-Type: text/plain;\r\n\tcharset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n";
const messageBody = "hello  world \r\n\r\n  gr\u00fc\u00dfe\t\r\n\r\n\r\n";

function signedMessage(algorithm: "rsa-sha256" | "ed25519-sha256"): { message: Buffer; field: string } {
  const hash = new RelaxedBodyHash();
  hash.update(Buffer.from(messageBody));
  const unsigned = prepareSignature({
    header: selectHeader(Buffer.from(messageHeader)),
    bodyHash: hash.digest(),
    domain: "example.com",
    selector: "s1",
    algorithm,
    signedAt: 1_795_000_000,
  });
  const signature =
    algorithm === "rsa-sha256"
      ? sign("sha256", unsigned.bytes, privateKey)
      : sign(null, createHash("sha256").update(unsigned.bytes).digest(), edwards.privateKey);
  const field = completeSignature(unsigned, signature);
  return { field, message: Buffer.from(field + messageHeader + "\r\n" + messageBody) };
}

function record(algorithm: "rsa-sha256" | "ed25519-sha256"): string {
  if (algorithm === "rsa-sha256") {
    return `v=DKIM1; k=rsa; p=${publicKey.export({ format: "der", type: "spki" }).toString("base64")}`;
  }
  const raw = edwards.publicKey.export({ format: "der", type: "spki" }).subarray(-32);
  return `v=DKIM1; k=ed25519; p=${raw.toString("base64")}`;
}

for (const algorithm of ["rsa-sha256", "ed25519-sha256"] as const) {
  test(`a ${algorithm} signature is folded, complete and verified by mailauth`, async () => {
    const { field, message } = signedMessage(algorithm);
    for (const line of field.split("\r\n")) assert.ok(line.length <= 78, line);
    assert.match(field, /^DKIM-Signature: v=1; a=\S+; c=relaxed\/relaxed; d=example.com; s=s1;/);
    assert.doesNotMatch(field, /[; ][lxi]=/);
    const { results } = await dkimVerify(message, { resolver: async () => [[record(algorithm)]] });
    assert.deepEqual(
      results.map((result: { status: { result: string } }) => result.status.result),
      ["pass"],
    );
  });

  for (const field of over) {
    test(`a ${algorithm} signature breaks when a ${field} is added`, async () => {
      const forged = Buffer.concat([Buffer.from(`${field}: evil@example.com\r\n`), signedMessage(algorithm).message]);
      const { results } = await dkimVerify(forged, { resolver: async () => [[record(algorithm)]] });
      assert.ok(!results.some((result: { status: { result: string } }) => result.status.result === "pass"));
    });
  }
}

test("a public key made of the private one verifies what was prepared", () => {
  const unsigned = prepareSignature({
    header: selectHeader(Buffer.from("From: a@b\r\n")),
    bodyHash: "x",
    domain: "b",
    selector: "s",
    algorithm: "rsa-sha256",
    signedAt: 1,
  });
  const signature = sign("sha256", unsigned.bytes, privateKey);
  assert.ok(verify("sha256", unsigned.bytes, createPublicKey(privateKey), signature));
});
