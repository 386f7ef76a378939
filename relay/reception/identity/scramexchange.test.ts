/** SCRAM-SHA-256 and its PLUS against the passwords of users, step by step. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { ScramClient, type ScramWish } from "../../../test/support/scramclient.ts";
import { credentialOf, password } from "../../../test/support/submission.ts";
import type { CredentialDocument } from "../../../api/relayconfig.ts";
import { channelWithoutName, type Channel } from "../../smtp/server/channel.ts";
import type { Mechanism, Proofs, Step } from "./mechanism.ts";
import { mechanismNames } from "./mechanisms.ts";
import { createPasswordCheck } from "./passwords.ts";
import { scramSha256, scramSha256Plus } from "./scramexchange.ts";

// RFC 7677 section 3.
const pencil: CredentialDocument = {
  identity: "rfc/7677",
  username: "user",
  scram: {
    iterations: 4096,
    salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
    storedKey: "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=",
    serverKey: "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
  },
};
const both = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const relay = { relay: { namespace: "mail", name: "outbound" } };
const passwords = createPasswordCheck();

const exported = randomBytes(32);
const shown = [randomBytes(32), randomBytes(48)];
const channel: Channel = {
  hasName: true,
  namesOf: (type) => (type === "tls-exporter" ? [exported] : type === "tls-server-end-point" ? shown : []),
};

function proofsOf(credentials: readonly CredentialDocument[], connection: Channel = channelWithoutName): Proofs {
  const byName = Map.groupBy(credentials, ({ username }) => username);
  return {
    password: () => assert.fail("no password travels"),
    token: () => assert.fail("no token travels"),
    areTokensTaken: () => false,
    certificate: () => assert.fail("no certificate is shown"),
    challenge: (username) => passwords.challenge({ credentials: byName, relay }, username),
    nonce: () => "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    channel: connection,
  };
}

async function say(step: Step, message: string): Promise<Step> {
  assert.ok(step.kind === "challenge", wordsOf(step));
  return step.answer(Buffer.from(message));
}

function wordsOf(step: Step): string {
  if (step.kind === "challenge" || step.kind === "notice") return step.data.toString();
  if (step.kind === "refusal") return `${step.code} ${step.enhanced}`;
  const { name, proof } = step.principal;
  return `${name}: ${proof.kind === "password" ? proof.credentials.map(({ identity }) => identity).join() : proof.kind}`;
}

test("the exchange of RFC 7677 section 3, word for word", async () => {
  const proofs = proofsOf([pencil]);
  const asked = await scramSha256.begin(Buffer.from("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"), proofs);
  assert.equal(wordsOf(asked), `r=${both},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`);
  const told = await say(asked, `c=biws,r=${both},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`);
  assert.equal(wordsOf(told), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
  assert.equal(wordsOf(await say(told, "")), "user: rfc/7677");
});

const one = credentialOf("shop", "a/one");
const two = credentialOf("shop", "b/two");
const other = credentialOf("shop", "c/other", "another");
const users = [one, two, other, credentialOf("a,b=c", "d/odd"), credentialOf("\u00fcser", "e/umlaut")];

/** What came of it, from the first message to the last. */
async function login(mechanism: Mechanism, proofs: Proofs, wish: ScramWish): Promise<string> {
  const client = new ScramClient(wish);
  const asked = await mechanism.begin(Buffer.from(client.first()), proofs);
  if (asked.kind !== "challenge") return wordsOf(asked);
  const told = await say(asked, client.final(wordsOf(asked)));
  if (told.kind !== "challenge") return wordsOf(told);
  assert.ok(client.believes(wordsOf(told)), wordsOf(told));
  return wordsOf(await say(told, ""));
}

const shop = { username: "shop", password };
const exporter = { ...shop, header: "p=tls-exporter,,", channel: exported };
const endPoint = { ...shop, header: "p=tls-server-end-point,," };
const rows: readonly (readonly [string, "SCRAM" | "PLUS", Channel, ScramWish, string])[] = [
  ["a good password, of two Secrets", "SCRAM", channelWithoutName, shop, "shop: a/one,b/two"],
  ["a good password of the third", "SCRAM", channelWithoutName, { ...shop, password: "another" }, "shop: c/other"],
  ["a wrong password", "SCRAM", channelWithoutName, { ...shop, password: "wrong" }, "535 5.7.8"],
  ["an unknown user", "SCRAM", channelWithoutName, { ...shop, username: "nobody" }, "535 5.7.8"],
  ["a name in another case", "SCRAM", channelWithoutName, { ...shop, username: "Shop" }, "535 5.7.8"],
  ["a name with comma and equals sign", "SCRAM", channelWithoutName, { ...shop, username: "a,b=c" }, "a,b=c: d/odd"],
  [
    "a name in another spelling",
    "SCRAM",
    channelWithoutName,
    { ...shop, username: "u\u0308ser" },
    "\u00fcser: e/umlaut",
  ],
  ["oneself named", "SCRAM", channelWithoutName, { ...shop, header: "n,a=shop," }, "shop: a/one,b/two"],
  ["another named", "SCRAM", channelWithoutName, { ...shop, header: "n,a=boss," }, "535 5.7.8"],
  [
    "a client that would bind, where nothing can be",
    "SCRAM",
    channelWithoutName,
    { ...shop, header: "y,," },
    "shop: a/one,b/two",
  ],
  ["a client that was not shown PLUS", "SCRAM", channel, { ...shop, header: "y,," }, "535 5.7.8"],
  ["a client that cannot bind", "SCRAM", channel, shop, "shop: a/one,b/two"],
  ["a binding without PLUS", "SCRAM", channel, exporter, "501 5.5.2"],
  ["the exporter", "PLUS", channel, exporter, "shop: a/one,b/two"],
  [
    "the exporter and oneself named",
    "PLUS",
    channel,
    { ...exporter, header: "p=tls-exporter,a=shop," },
    "shop: a/one,b/two",
  ],
  ["the end point", "PLUS", channel, { ...endPoint, channel: shown[0] ?? exported }, "shop: a/one,b/two"],
  [
    "the end point of the other certificate",
    "PLUS",
    channel,
    { ...endPoint, channel: shown[1] ?? exported },
    "shop: a/one,b/two",
  ],
  ["another connection's exporter", "PLUS", channel, { ...exporter, channel: randomBytes(32) }, "535 5.7.8"],
  ["one octet less", "PLUS", channel, { ...exporter, channel: exported.subarray(1) }, "535 5.7.8"],
  ["no name of the channel", "PLUS", channel, { ...exporter, channel: Buffer.alloc(0) }, "535 5.7.8"],
  ["the exporter under the name of the end point", "PLUS", channel, { ...endPoint, channel: exported }, "535 5.7.8"],
  ["a type that does not work here", "PLUS", channel, { ...shop, header: "p=tls-unique,," }, "504 5.5.4"],
  ["no binding", "PLUS", channel, shop, "501 5.5.2"],
  ["a wrong password in the right connection", "PLUS", channel, { ...exporter, password: "wrong" }, "535 5.7.8"],
];
for (const [what, mechanism, connection, wish, expected] of rows) {
  test(`${mechanism} with ${what}: ${expected}`, async () => {
    const said = mechanism === "PLUS" ? scramSha256Plus : scramSha256;
    assert.equal(await login(said, proofsOf(users, connection), wish), expected);
  });
}

/** What a client says in its last message, changed on the way. */
const changes: readonly (readonly [string, (message: string) => string, string])[] = [
  ["the nonce of the client alone", (message) => message.replace(both, "rOprNGfwEbeRWgbNEkqO"), "535 5.7.8"],
  ["a longer nonce", (message) => message.replace(both, `${both}x`), "535 5.7.8"],
  ["another header than the first", (message) => message.replace("c=biws", "c=eSws"), "535 5.7.8"],
  ["an extension that was not signed", (message) => message.replace(",p=", ",x=1,p="), "535 5.7.8"],
  [
    "a proof of one octet less",
    (message) => message.replace(/p=.*$/, `p=${randomBytes(31).toString("base64")}`),
    "535 5.7.8",
  ],
  ["no proof", (message) => message.replace(/p=.*$/, "p="), "535 5.7.8"],
  ["m=", (message) => `m=1,${message}`, "501 5.5.2"],
];
for (const [what, change, expected] of changes) {
  test(`SCRAM whose last message has ${what}: ${expected}`, async () => {
    const client = new ScramClient(shop);
    const asked = await scramSha256.begin(Buffer.from(client.first()), proofsOf(users));
    assert.equal(wordsOf(await say(asked, change(client.final(wordsOf(asked))))), expected);
  });
}

test("a client that speaks when asked, and one that says more than nothing at the end", async () => {
  const client = new ScramClient(shop);
  const empty = await scramSha256.begin(undefined, proofsOf(users));
  assert.equal(wordsOf(empty), "");
  const asked = await say(empty, client.first());
  const told = await say(asked, client.final(wordsOf(asked)));
  assert.equal(wordsOf(await say(told, "x")), "501 5.5.2");
});

test("an unknown name has a salt that stays, on every pod, and that it keeps when it becomes a user's", () => {
  const saltOf = (username: string, at = relay): string =>
    createPasswordCheck().challenge({ credentials: new Map(), relay: at }, username).salt;
  assert.equal(saltOf("nobody"), saltOf("nobody"));
  assert.equal(saltOf("u\u0308ser"), saltOf("\u00fcser"));
  assert.notEqual(saltOf("nobody"), saltOf("noone"));
  assert.notEqual(saltOf("nobody"), saltOf("nobody", { relay: { namespace: "mail", name: "other" } }));
  const stored = { ...pencil.scram, iterations: 10_000 };
  const known = Map.groupBy([{ ...pencil, scram: stored }], ({ username }) => username);
  assert.equal(passwords.challenge({ credentials: known, relay }, "nobody").iterations, 10_000);
});

test("PLUS is offered where the connection has a name, and nowhere else", () => {
  const [bound, unbound] = [proofsOf(users, channel), proofsOf(users)].map((proofs) => mechanismNames(proofs));
  assert.ok(bound?.includes(scramSha256Plus.name));
  assert.ok(!unbound?.includes(scramSha256Plus.name));
});
