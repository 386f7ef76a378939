import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDate, receivedBy, renderReceived, type ReceivedClauses } from "./received.ts";

const reception: ReceivedClauses = {
  helo: "client.example",
  clientAddress: "192.0.2.7",
  by: "relay.example.com",
  extended: true,
  secure: true,
  authenticated: true,
  smtpUtf8: false,
  cipher: "TLSv1.3 TLS_AES_256_GCM_SHA384",
  id: "0mabc",
  at: Date.UTC(2026, 0, 2, 3, 4, 5),
};

test("renderReceived() writes a whole folded field", () => {
  assert.equal(
    renderReceived(reception),
    "Received: from client.example ([192.0.2.7])\r\n\tby relay.example.com with ESMTPSA id 0mabc\r\n" +
      "\t(TLSv1.3 TLS_AES_256_GCM_SHA384);\r\n\tFri, 02 Jan 2026 03:04:05 +0000\r\n",
  );
});

const protocols: readonly (readonly [Partial<ReceivedClauses>, string])[] = [
  [{ extended: false, secure: false, authenticated: false }, "SMTP"],
  [{ secure: false, authenticated: false }, "ESMTP"],
  [{ authenticated: false }, "ESMTPS"],
  [{}, "ESMTPSA"],
  [{ smtpUtf8: true }, "UTF8SMTPSA"],
  [{ smtpUtf8: true, secure: false, authenticated: false }, "UTF8SMTP"],
];
for (const [change, protocol] of protocols) {
  test(`renderReceived() says "with ${protocol}" for ${JSON.stringify(change)}`, () => {
    assert.match(renderReceived({ ...reception, ...change }), new RegExp(` with ${protocol} id `));
  });
}

test("renderReceived() lets no client end the line, the comment or the field", () => {
  const hostile = renderReceived({
    ...reception,
    helo: "x\r\nBcc: a@b\r\n\r\n(;)\u0000é",
    clientAddress: "::1\r\nX: y",
  });
  assert.equal(hostile.split("\r\n").length, renderReceived(reception).split("\r\n").length);
  assert.doesNotMatch(hostile, /^(?:Bcc|X):/m);
});

test("renderReceived() tags an IPv6 client and names one that said nothing", () => {
  const text = renderReceived({ ...reception, helo: "", clientAddress: "2001:db8::1" });
  assert.match(text, /^Received: from unknown \(\[IPv6:2001:db8::1\]\)/);
});

test("formatDate() writes RFC 5322 dates in UTC", () => {
  assert.equal(formatDate(0), "Thu, 01 Jan 1970 00:00:00 +0000");
});

const hosts: readonly (readonly [string, string | undefined])[] = [
  ["from a ([1.2.3.4]) by Relay.Example.com with ESMTP id 1; date", "relay.example.com"],
  ["by relay.example.com; date", "relay.example.com"],
  ["from a (x)by relay.example.com(y); date", "relay.example.com"],
  ["from standby.example; date", undefined],
];
for (const [value, host] of hosts) {
  test(`receivedBy() of ${JSON.stringify(value)} is ${host ?? "unknown"}`, () => {
    assert.equal(receivedBy(value), host);
  });
}
