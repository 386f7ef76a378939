/** Logins that fail, over the wire: over all listeners and mechanisms together, and who gets in all the same. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { ScramClient } from "../../test/support/scramclient.ts";
import {
  credentialOf,
  makeCertificate,
  openBed,
  password,
  type Bed,
  type BedWish,
} from "../../test/support/submission.ts";
import { signingIssuer, type SigningIssuer } from "../../test/support/tokens.ts";
import type { SmtpClient } from "../../test/support/smtpclient.ts";
import { until } from "../../test/support/until.ts";
import { usualPatience } from "../smtp/server/patience.ts";

/** Time stands still: nothing that was taken comes back. */
const clock = { now: () => 0 };
const listeners = [
  { name: "submission", tlsMode: "StartTLS", authentication: "Required" },
  { name: "submissions", tlsMode: "Implicit", authentication: "Required" },
  { name: "trusted", tlsMode: "Implicit", authentication: "Required", trustedNetworks: ["127.0.0.9/32"] },
];
const [attacker, owner, elsewhere] = ["127.0.0.2", "127.0.0.3", "127.0.0.4"] as const;

const tokenIssuer = "https://kubernetes.default.svc";
/** Whose key the relay has; one who has another under the same id, and one whose is not known yet. */
const [known, forger, rotated] = [
  signingIssuer("ES256", "one"),
  signingIssuer("ES256", "one"),
  signingIssuer("ES256", "two"),
];

async function open(
  t: TestContext,
  wish: BedWish = {},
  limits = { connections: 200, connectionsPerClient: 100 },
): Promise<Bed> {
  const bed = await openBed(
    {
      listeners,
      limits,
      credentials: [credentialOf("shop", "shop/mail"), credentialOf("other", "other/mail")],
      tokenIssuers: [{ kind: "ServiceAccounts", issuer: tokenIssuer, audience: "mailboat", keys: [known.key] }],
      domains: { "example.com": { identities: ["shop/mail"] } },
      certificate: await makeCertificate(),
    },
    { clock, ...wish },
  );
  t.after(() => bed.close());
  return bed;
}

async function greeted(bed: Bed, from: string, listener = "submissions"): Promise<SmtpClient> {
  const client = await bed.connect(listener, { from });
  await client.reply();
  await client.command("EHLO client.example");
  if (listener !== "submission") return client;
  await client.startTls();
  await client.command("EHLO client.example");
  return client;
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const codes = (reply: string): string => reply.slice(0, 9);
let guesses = 0;

/** A session that shows three tokens, and what each is told. */
async function showThree(bed: Bed, issuer: SigningIssuer): Promise<readonly string[]> {
  const claims = { iss: tokenIssuer, aud: "mailboat", sub: "system:serviceaccount:shop:checkout", exp: 600 };
  const client = await greeted(bed, attacker);
  const told: string[] = [];
  for (const _ of [1, 2, 3]) told.push(codes(await client.login("", issuer.token(claims))));
  await client.closed;
  return told;
}

type Way = (client: SmtpClient, user: string, secret: string) => Promise<string>;
const plain: Way = (client, user, secret) => client.login(user, secret);
const login: Way = async (client, user, secret) => {
  await client.command(`AUTH LOGIN ${base64(user)}`);
  return client.command(base64(secret));
};
const scram: Way = async (client, username, secret) => {
  const one = new ScramClient({ header: "n,,", username, password: secret });
  const asked = await client.command(`AUTH SCRAM-SHA-256 ${base64(one.first())}`);
  if (!asked.startsWith("334 ")) return asked;
  const told = await client.command(base64(one.final(Buffer.from(asked.slice(4), "base64").toString())));
  return told.startsWith("334 ") ? client.command("") : told;
};

/** Each with a password of its own and in a session of its own: its third would end one. */
async function guess(
  bed: Bed,
  from: string,
  { user = "shop", times = 10, way = plain, listener = "submissions" } = {},
): Promise<void> {
  await Promise.all(
    Array.from({ length: times }, async () => {
      guesses += 1;
      const secret = `guess ${guesses}`;
      const client = await greeted(bed, from, listener);
      assert.equal(codes(await way(client, user, secret)), "535 5.7.8");
      client.destroy();
    }),
  );
}

async function comes(
  bed: Bed,
  from: string,
  { user = "shop", way = plain, secret = password, listener = "submissions" } = {},
): Promise<string> {
  const client = await greeted(bed, from, listener);
  const reply = await way(client, user, secret);
  if (reply.startsWith("421")) await client.closed;
  client.destroy();
  return reply;
}

test("guesses count over all listeners and mechanisms, and then not even the right password is looked at", async (t) => {
  const bed = await open(t);
  await guess(bed, attacker, { times: 4, listener: "submission" });
  await guess(bed, attacker, { times: 3, way: login });
  await guess(bed, attacker, { times: 3, way: scram });
  for (const [listener, way] of [
    ["submission", plain],
    ["submissions", scram],
    ["submissions", login],
  ] as const) {
    assert.equal(
      await comes(bed, attacker, { listener, way }),
      "421 4.7.0 Too many failed logins of this user from your address, try again in 60 s",
    );
  }
  assert.deepEqual(
    bed.heldBack,
    Array.from({ length: 3 }, () => "refused client and user"),
  );
  assert.equal(codes(await comes(bed, attacker, { user: "other" })), "235 2.7.0");
  assert.equal(codes(await comes(bed, owner)), "235 2.7.0");
});

test("whether a name exists makes no difference to who guesses at it", async (t) => {
  const bed = await open(t);
  for (const user of ["shop", "nobody"]) await guess(bed, attacker, { user });
  const [real, invented] = [await comes(bed, attacker), await comes(bed, attacker, { user: "nobody" })];
  assert.equal(real, invented);
});

test("an owner gets in while many guess at its name: at once where it has been before, and slowly when they are there, too", async (t) => {
  const bed = await open(t, { patience: { slowLoginMs: 150 } });
  for (const way of [plain, scram]) assert.equal(codes(await comes(bed, owner, { way })), "235 2.7.0");
  for (let address = 1; address <= 5; address += 1) await guess(bed, `127.0.1.${address}`);
  assert.equal(codes(await comes(bed, elsewhere, { secret: "mistyped" })), "535 5.7.8");
  await Promise.all(Array.from({ length: 49 }, (_, address) => guess(bed, `127.0.2.${address + 1}`, { times: 1 })));
  assert.equal(await comes(bed, elsewhere), "421 4.7.0 Too many failed logins of this user, try again in 510 s");
  assert.deepEqual(
    bed.heldBack.filter((each) => each === "slowly client and user"),
    [],
  );
  for (const way of [plain, login, scram]) assert.equal(codes(await comes(bed, owner, { way })), "235 2.7.0");
  await guess(bed, owner, { times: 10 });
  const started = performance.now();
  for (const way of [plain, login, scram]) assert.equal(codes(await comes(bed, owner, { way })), "235 2.7.0");
  assert.ok(performance.now() - started > 3 * 140, "each of them waited");
  assert.equal(bed.heldBack.filter((each) => each === "slowly client and user").length, 3);
});

test("a pod that tries an old password for ever locks out nobody behind the address of its node", async (t) => {
  const bed = await open(t);
  const tries = Array.from({ length: 40 }, async () => comes(bed, owner, { secret: "last year's" }));
  for (const reply of await Promise.all(tries)) assert.equal(codes(reply), "535 5.7.8");
  assert.equal(codes(await comes(bed, owner)), "235 2.7.0");
  assert.equal(codes(await comes(bed, owner, { user: "other" })), "235 2.7.0");
  assert.deepEqual(bed.heldBack, []);
});

test("a client that tries many names is looked at slowly, and told the truth", async (t) => {
  const bed = await open(t, { patience: { slowLoginMs: 200 } });
  await Promise.all(Array.from({ length: 30 }, (_, name) => guess(bed, attacker, { user: `name${name}`, times: 1 })));
  const started = performance.now();
  assert.equal(codes(await comes(bed, attacker)), "235 2.7.0");
  assert.ok(performance.now() - started > 190);
  assert.deepEqual(bed.heldBack, ["slowly client"]);
  assert.equal(codes(await comes(bed, attacker)), "235 2.7.0");
  assert.deepEqual(bed.heldBack, ["slowly client"], "it is known there by now");
});

test("a login that is slowed keeps its place until its password was looked at, whoever else comes from its address", async (t) => {
  const { slowLoginMs } = usualPatience;
  const roundTripsMs = 5000;
  const time = { at: 0 };
  const limits = { connections: 200, connectionsPerClient: 10 };
  const bed = await open(t, { clock: { now: () => time.at }, patience: { slowLoginMs: 500 } }, limits);
  for (const group of [0, 10, 20]) {
    const names = Array.from({ length: 10 }, (_, each) => `name${group + each}`);
    await Promise.all(names.map((user) => guess(bed, attacker, { user, times: 1 })));
    await until("the guessers to be gone", () => bed.connections() === 0 || undefined, 10_000);
  }
  const client = await greeted(bed, attacker);
  const answer = plain(client, "shop", password);
  await until("the login to be held back", () => bed.heldBack.length > 0 || undefined, 10_000);
  time.at += roundTripsMs + slowLoginMs;
  const crowd = await Promise.all(
    Array.from({ length: 12 }, async () => bed.connect("submission", { from: attacker })),
  );
  const told = await Promise.all(crowd.map((each) => each.reply()));
  assert.equal(told.filter((each) => each.startsWith("421 4.7.0 Too many connections from your address")).length, 3);
  assert.equal(codes(await answer), "235 2.7.0");
});

test("a network that is trusted is not held back, and says nothing of anybody", async (t) => {
  const bed = await open(t);
  await guess(bed, "127.0.0.9", { listener: "trusted", times: 12 });
  assert.equal(codes(await comes(bed, "127.0.0.9", { listener: "trusted" })), "235 2.7.0");
  assert.equal(codes(await comes(bed, "127.0.0.9")), "235 2.7.0");
  assert.deepEqual(bed.heldBack, []);
});

test("the log says that logins were held back and why, and never whose", async (t) => {
  const bed = await open(t, { logLevel: "info" });
  await guess(bed, attacker);
  await comes(bed, attacker);
  const told = bed.lines.filter(({ msg }) => String(msg).startsWith("a login was held back"));
  assert.deepEqual(
    told.map(({ listener, how, failed }) => ({ listener, how, failed })),
    [{ listener: "submissions", how: "refused", failed: "client and user" }],
  );
  assert.doesNotMatch(JSON.stringify(bed.lines), /"shop"|guess \d|127\.0\.0\.2/);
});

test("wrong tokens make the passwords of their client slow, and those whose key is only new do not: at a rotation all pods of a node show them", async (t) => {
  const bed = await open(t, { patience: { slowLoginMs: 1 } });
  // Who was let in with a name before waits for nothing: each has another.
  for (const [issuer, told, user, held] of [
    [rotated, "454 4.7.0", "shop", []],
    [forger, "535 5.7.8", "other", ["slowly client"]],
  ] as const) {
    const sessions = await Promise.all(Array.from({ length: 11 }, () => showThree(bed, issuer)));
    for (const answers of sessions) assert.deepEqual(answers, [told, told, "421 4.7.0"]);
    bed.heldBack.length = 0;
    assert.equal(codes(await comes(bed, attacker, { user })), "235 2.7.0");
    assert.deepEqual(bed.heldBack, held);
  }
});
