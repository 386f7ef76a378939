import assert from "node:assert/strict";
import { test } from "node:test";
import { credentialOf, snapshotOf, type DomainWish } from "../../test/support/submission.ts";
import type { Snapshot } from "../config/snapshot.ts";
import { parseAddress } from "../mail/address.ts";
import { parseHeader } from "../mail/header.ts";
import type { Refusal } from "../mail/reply.ts";
import { admitClient, admitHeader, admitSender, type Admission, type Client } from "./admit.ts";
import { networkPrincipal, type Principal } from "./identity/principal.ts";

const shop = credentialOf("shop", "shop/mail");
const domains: Record<string, DomainWish> = {
  "example.com": { identities: ["shop/mail"] },
  "other.example": { identities: ["other/mail"] },
  "open.example": { trustedNetworks: true },
  "narrow.example": { identities: ["shop/mail"], localParts: ["orders", "no-reply-*"] },
  "keyless.example": { identities: ["shop/mail"], keyless: true },
  "xn--mnchen-3ya.example": { identities: ["shop/mail"] },
};
const snapshot = snapshotOf({
  listeners: [],
  credentials: [shop],
  domains,
  gaps: { domains: new Set(["newer.example"]) },
});
const user: Principal = {
  kind: "user",
  name: "shop",
  proof: { kind: "password", credentials: [shop] },
  until: undefined,
};
const network = networkPrincipal("192.0.2.1");
/** Logged in, with a login that is not there any more. */
const lost: Principal = { ...user, proof: { kind: "password", credentials: [] } };
const nobody: Partial<Client> = { principals: [] };
const client: Client = {
  listener: { authentication: "Required", tlsMode: "StartTLS" },
  secure: true,
  principals: [user],
  at: 1_000,
};

/** What of the client is another in a row, in words. */
function wordsOf({ principals, listener, at }: Partial<Client>): string {
  const who = principals?.map(({ kind, proof }) => `${kind} by ${proof.kind}`).join(" and ") ?? "logged in";
  return [who || "nobody", listener?.authentication, at].filter((word) => word !== undefined).join(", ");
}

function verdict(result: Refusal | Admission | undefined): string {
  if (result === undefined) return "yes";
  return result.kind === "admission" ? result.domain : `${result.code} ${result.enhanced}`;
}

const clients: readonly (readonly [string, Partial<Client>, string])[] = [
  ["authenticated", {}, "yes"],
  ["unknown, before STARTTLS", { principals: [], secure: false }, "530 5.7.0"],
  ["unknown, after STARTTLS", nobody, "530 5.7.0"],
  ["trusted, but authentication is required", { principals: [network] }, "530 5.7.0"],
  [
    "unknown on an optional listener",
    { principals: [], listener: { authentication: "Optional", tlsMode: "StartTLS" } },
    "530 5.7.0",
  ],
  [
    "trusted on an optional listener",
    { principals: [network], listener: { authentication: "Optional", tlsMode: "StartTLS" } },
    "yes",
  ],
  [
    "unknown on a listener without TLS",
    { principals: [], listener: { authentication: "Optional", tlsMode: "None" } },
    "550 5.7.1",
  ],
];
const ending: Principal = { ...user, until: 2_000 };
const times: readonly (readonly [string, Partial<Client>, string])[] = [
  ["before its time is over", { principals: [ending], at: 1_999 }, "yes yes"],
  ["when its time is over", { principals: [ending], at: 2_000 }, "421 4.7.0 421 4.7.0"],
  ["whose other login goes on", { principals: [ending, user], at: 3_000 }, "yes yes"],
  [
    "in a trusted network, which goes on alone",
    {
      principals: [ending, network],
      at: 3_000,
      listener: { authentication: "Optional", tlsMode: "StartTLS" },
    },
    "yes 421 4.7.0",
  ],
];
for (const [what, change, expected] of times) {
  test(`a login ${what} has the answers ${expected}`, () => {
    const asker = { ...client, ...change };
    const sent = admitSender(snapshot, asker, parseAddress("a@example.com"));
    assert.equal(`${verdict(admitClient(snapshot, asker))} ${verdict(sent)}`, expected);
  });
}

for (const [what, change, expected] of clients) {
  test(`admitClient() answers ${expected} to a client that is ${what}`, () => {
    assert.equal(verdict(admitClient(snapshot, { ...client, ...change })), expected);
  });
}

test("admitClient() asks for STARTTLS in words while it is to come", () => {
  const refused = admitClient(snapshot, { ...client, principals: [], secure: false });
  assert.equal(refused?.text, "Must issue a STARTTLS command first");
});

for (const [what, credentials] of [
  ["removed", []],
  ["changed", [credentialOf("shop", "shop/mail", "a new password")]],
] as const) {
  test(`a session ends to count when its credential is ${what}`, () => {
    const later = snapshotOf({ listeners: [], credentials, domains });
    assert.equal(verdict(admitClient(later, client)), "421 4.7.0");
    assert.equal(verdict(admitSender(later, client, parseAddress("a@example.com"))), "421 4.7.0");
    const under = parseHeader(Buffer.from("From: a@example.com\r\nSender: b@example.com\r\n"));
    assert.ok(under.kind === "header");
    assert.equal(verdict(admitHeader(later, client, under)), "451 4.7.0");
    // What needs no login is not kept from a network that is trusted, and what it may not send is not lost for good either.
    const both: Client = {
      ...client,
      principals: [user, network],
      listener: { ...client.listener, authentication: "Optional" },
    };
    assert.equal(verdict(admitClient(later, both)), "yes");
    assert.equal(verdict(admitSender(later, both, parseAddress("a@open.example"))), "yes");
    assert.equal(verdict(admitSender(later, both, parseAddress("a@example.com"))), "421 4.7.0");
  });
}

const trusted: Partial<Client> = {
  principals: [network],
  listener: { authentication: "Optional", tlsMode: "None" },
};
const senders: readonly (readonly [string, Partial<Client>, string])[] = [
  ["", {}, "yes"],
  ["a@example.com", {}, "yes"],
  ["a@sub.example.com", {}, "550 5.7.1"],
  ["a@other.example", {}, "550 5.7.1"],
  ["a@unknown.example", {}, "550 5.7.1"],
  ["a@newer.example", {}, "451 4.3.5"],
  ["a@open.example", {}, "550 5.7.1"],
  ["a@open.example", trusted, "yes"],
  ["a@example.com", trusted, "550 5.7.1"],
  ["a@open.example", { principals: [user, network] }, "yes"],
  ["orders@narrow.example", {}, "yes"],
  ["no-reply-7@narrow.example", {}, "yes"],
  ["ceo@narrow.example", {}, "550 5.7.1"],
  ["a@münchen.example", {}, "yes"],
  ["a@[192.0.2.1]", {}, "550 5.7.1"],
  ['"a b"@example.com', {}, "yes"],
  ['"a@other.example"@example.com', {}, "550 5.1.7"],
  ['"a> RET=HDRS"@example.com', {}, "550 5.1.7"],
];
for (const [address, change, expected] of senders) {
  test(`admitSender() answers ${expected} to <${address}> of ${wordsOf(change)}`, () => {
    const sender = address === "" ? undefined : parseAddress(address);
    assert.equal(verdict(admitSender(snapshot, { ...client, ...change }, sender)), expected);
  });
}

const gap = { domains: new Set<string>(), shards: false, relay: false };
const optional: Partial<Client> = { principals: [], listener: { authentication: "Optional", tlsMode: "None" } };
const incomplete: readonly (readonly [string, Snapshot["gaps"], readonly [string, Partial<Client>, string][]])[] = [
  [
    "a shard that has not arrived",
    { ...gap, shards: true },
    [
      ["a@example.com", {}, "yes, yes"],
      ["a@unknown.example", {}, "yes, 451 4.3.5"],
      ["a@other.example", {}, "yes, 451 4.3.5"],
      ["ceo@narrow.example", {}, "yes, 451 4.3.5"],
      ["a@example.com", { principals: [lost] }, "451 4.3.5, 451 4.3.5"],
      ["a@example.com", nobody, "530 5.7.0, 451 4.3.5"],
      ["a@open.example", optional, "550 5.7.1, 451 4.3.5"],
    ],
  ],
  [
    "a newer document of the domain that cannot be read",
    { ...gap, domains: new Set(["other.example", "narrow.example"]) },
    [
      ["a@other.example", {}, "yes, 451 4.3.5"],
      ["orders@narrow.example", {}, "yes, yes"],
      ["ceo@narrow.example", {}, "yes, 451 4.3.5"],
      ["a@unknown.example", {}, "yes, 550 5.7.1"],
      ["a@other.example", { principals: [lost] }, "451 4.3.5, 451 4.3.5"],
    ],
  ],
  [
    "a newer document of the relay that cannot be read",
    { ...gap, relay: true },
    [
      ["a@open.example", optional, "451 4.3.5, 550 5.7.1"],
      ["a@example.com", { principals: [lost] }, "451 4.3.5, 421 4.7.0"],
      ["a@example.com", nobody, "530 5.7.0, 550 5.7.1"],
      ["a@example.com", {}, "yes, yes"],
    ],
  ],
];
for (const [what, gaps, rows] of incomplete) {
  for (const [address, change, expected] of rows) {
    test(`with ${what}, <${address}> of ${wordsOf(change)} is answered ${expected}`, () => {
      const [asked, asker] = [
        { ...snapshot, gaps },
        { ...client, ...change },
      ];
      const sent = admitSender(asked, asker, parseAddress(address));
      assert.equal(`${verdict(admitClient(asked, asker))}, ${verdict(sent)}`, expected);
    });
  }
}

test("a domain of another tenant and one that is not ours are refused in the same words", () => {
  const text = (domain: string): string | undefined =>
    admitSender(snapshot, client, parseAddress(`a@${domain}`))?.text.replaceAll(domain, "it");
  assert.equal(text("other.example"), text("unknown.example"));
  assert.match(text("other.example") ?? "", /domain it is not granted/);
});

const hop = (by: string): string => `Received: from a by ${by} with ESMTP id 1; Thu, 1 Jan 1970 00:00:00 +0000\r\n`;
const headers: readonly (readonly [string, string, string])[] = [
  ["one From", "From: Anne <a@example.com>\r\n", "example.com"],
  ["two mailboxes of one domain", "From: a@example.com, b@EXAMPLE.com\r\n", "example.com"],
  ["a folded From", "From: Anne\r\n <a@example.com>\r\n", "example.com"],
  ["an international domain", "From: a@münchen.example\r\n", "xn--mnchen-3ya.example"],
  ["no From", "Subject: x\r\n", "550 5.6.0"],
  ["no field at all", "", "550 5.6.0"],
  ["two From fields", "From: a@example.com\r\nfrom: a@example.com\r\n", "550 5.6.0"],
  ["two domains", "From: a@example.com, a@narrow.example\r\n", "550 5.6.0"],
  ["a group", "From: Team: a@example.com;\r\n", "550 5.6.0"],
  ["an unreadable From", "From: Anne\r\n", "550 5.6.0"],
  ["another's domain", "From: a@other.example\r\n", "550 5.7.1"],
  ["an unknown domain", "From: a@unknown.example\r\n", "550 5.7.1"],
  ["a local part that is not allowed", "From: ceo@narrow.example\r\n", "550 5.7.1"],
  ["one allowed local part of two", "From: orders@narrow.example, ceo@narrow.example\r\n", "550 5.7.1"],
  ["a domain that cannot be read", "From: a@newer.example\r\n", "451 4.3.5"],
  ["a domain without key", "From: a@keyless.example\r\n", "451 4.3.5"],
  ["a Sender of one's own", "Sender: b@example.com\r\nFrom: a@example.com\r\n", "example.com"],
  [
    "a Sender of another domain of one's own",
    "From: a@example.com\r\nSender: orders@narrow.example\r\n",
    "example.com",
  ],
  ["a Sender that names nobody", "From: a@example.com\r\nSender: \r\n", "example.com"],
  ["another's Sender", "From: a@example.com\r\nSender: a@other.example\r\n", "550 5.7.1"],
  [
    "another's Sender with a space before the colon",
    "From: a@example.com\r\nSender : a@other.example\r\n",
    "550 5.7.1",
  ],
  ["a Sender that is not ours", "From: a@example.com\r\nSender: root@localhost\r\n", "550 5.7.1"],
  ["a local part that is not allowed in Sender", "From: a@example.com\r\nSender: ceo@narrow.example\r\n", "550 5.7.1"],
  ["two addresses in Sender", "From: a@example.com\r\nSender: a@example.com, b@example.com\r\n", "550 5.6.0"],
  ["an unreadable Sender", "From: a@example.com\r\nSender: Anne\r\n", "550 5.6.0"],
  ["another's Resent-From", "From: a@example.com\r\nResent-From: a@other.example\r\n", "550 5.7.1"],
  [
    "another's among Resent-From",
    "From: a@example.com\r\nResent-From: a@example.com, a@other.example\r\n",
    "550 5.7.1",
  ],
  [
    "another's second Resent-From",
    "Resent-From: a@example.com\r\nFrom: a@example.com\r\nResent-From: a@other.example\r\n",
    "550 5.7.1",
  ],
  ["Resent-From of one's own", "From: a@example.com\r\nResent-From: a@example.com, b@example.com\r\n", "example.com"],
  ["another's Resent-Sender", "From: a@example.com\r\nResent-Sender: a@other.example\r\n", "550 5.7.1"],
  ["a Reply-To of anybody", "From: a@example.com\r\nReply-To: a@other.example\r\n", "example.com"],
  ["100 hops", hop("mx.example").repeat(100) + "From: a@example.com\r\n", "example.com"],
  ["101 hops", hop("mx.example").repeat(101) + "From: a@example.com\r\n", "554 5.4.6"],
  ["five own hops", hop("Relay.example.com").repeat(5) + "From: a@example.com\r\n", "example.com"],
  ["six own hops", hop("relay.example.com").repeat(6) + "From: a@example.com\r\n", "554 5.4.6"],
];
for (const [what, text, expected] of headers) {
  test(`admitHeader() answers ${expected} to ${what}`, () => {
    const header = parseHeader(Buffer.from(text));
    assert.equal(header.kind, "header");
    assert.equal(verdict(admitHeader(snapshot, client, header)), expected);
  });
}

const reasons: readonly (readonly [string, RegExp])[] = [
  [
    "From: a@example.com\r\nSender: a@other.example\r\n",
    /^Sender: domain other\.example is not granted to this client: a SenderDomain with domain other\.example must name this client in its senders$/,
  ],
  ["From: a@example.com\r\nResent-From: a@other.example\r\n", /^Resent-From: domain other\.example is not granted/],
  [
    "From: a@example.com\r\nResent-Sender: Anne\r\n",
    /^The Resent-Sender field cannot be used: the address has no domain/,
  ],
  [
    "From: a@example.com\r\nSender: a@example.com, b@example.com\r\n",
    /^The Sender field must hold one address, it has 2$/,
  ],
  [
    "From: Doe, Jane <jane@example.com>\r\n",
    /^The From field cannot be used: a display name with a comma \(,\) must be quoted, write "Last, First" <name@domain>$/,
  ],
  [
    "From: Shop: Orders <orders@example.com>\r\n",
    /^The From field cannot be used: a display name with a colon \(:\) must be quoted/,
  ],
];
for (const [text, reason] of reasons) {
  test(`admitHeader() names the field and what is wrong in ${JSON.stringify(text)}`, () => {
    const header = parseHeader(Buffer.from(text));
    assert.equal(header.kind, "header");
    const refused = admitHeader(snapshot, client, header);
    assert.equal(refused.kind, "refusal");
    assert.match(refused.text, reason);
  });
}
