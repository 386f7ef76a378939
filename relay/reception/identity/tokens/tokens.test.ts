/** Tokens against the keys of a document, as far as they are told apart without a socket. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { TokenIssuerDocument } from "../../../../api/relayconfig.ts";
import { readTokenKeys } from "../../../../api/identity/tokenkey.ts";
import { forgedToken, signingIssuer } from "../../../../test/support/tokens.ts";
import { createTokenCheck, looksLikeToken } from "./tokens.ts";
import { UnknownKeys } from "./unknownkeys.ts";

const cluster = signingIssuer("RS256", "cluster-1");
const next = signingIssuer("ES256", "cluster-2");
const staff = signingIssuer("EdDSA", "staff-1");
const other = signingIssuer("RS256", "cluster-1");
const now = 1_800_000_000_000;
const seconds = now / 1000;
const sub = "system:serviceaccount:shop:checkout";
const clusterIssuer = "https://kubernetes.default.svc";
const staffIssuer = "https://login.example.com/staff";

const issuers: readonly TokenIssuerDocument[] = [
  { kind: "ServiceAccounts", issuer: clusterIssuer, audience: "mailboat", keys: [cluster.key] },
  {
    kind: "OIDC",
    name: "staff",
    issuer: staffIssuer,
    audience: "mail",
    usernameClaim: "email",
    groupsClaim: "groups",
    keys: [staff.key],
  },
];

const claims = { iss: clusterIssuer, aud: ["mailboat"], sub, nbf: seconds - 10, exp: seconds + 600 };
const person = { iss: staffIssuer, aud: "mail", sub: "4711", email: "ann@example.com", exp: seconds + 600 };

async function told(
  token: string,
  wish: {
    readonly username?: string;
    readonly issuers?: readonly TokenIssuerDocument[];
    readonly keys?: UnknownKeys;
    readonly at?: number;
  } = {},
): Promise<string> {
  const check = createTokenCheck({ now: () => wish.at ?? now, unknownKeys: wish.keys ?? new UnknownKeys() });
  const step = await check.prove(wish.issuers ?? issuers, { username: wish.username ?? "", token });
  if (step.kind === "refusal") return `${step.code} ${step.text}`;
  const { principal } = step;
  assert.equal(principal.until, (seconds + 600) * 1000);
  assert.ok(principal.proof.kind === "token");
  return [principal.name, ...principal.proof.identities].join(" ");
}

const invalid = "535 Authentication credentials invalid";
const account = `${sub} ${sub}`;
const rows: readonly (readonly [string, string, string | undefined, string])[] = [
  ["of a ServiceAccount", cluster.token(claims), undefined, account],
  ["with the account's own name", cluster.token(claims), sub, account],
  ["with another audience beside ours", cluster.token({ ...claims, aud: ["api", "mailboat"] }), undefined, account],
  ["that begins in 20 s", cluster.token({ ...claims, nbf: seconds + 20 }), undefined, account],
  [
    "that begins in 40 s",
    cluster.token({ ...claims, nbf: seconds + 40 }),
    undefined,
    "454 The token is not valid yet, try again later",
  ],
  [
    "with another account's name",
    cluster.token(claims),
    "system:serviceaccount:shop:other",
    "535 The user name is not that of the token: leave it empty, or name the token's",
  ],
  ["that ends now", cluster.token({ ...claims, exp: seconds }), undefined, "535 The token has expired"],
  [
    "of a Secret, without an end",
    cluster.token({ ...claims, exp: undefined }),
    undefined,
    "535 The token has no end: use one with an expiry",
  ],
  [
    "for another audience",
    cluster.token({ ...claims, aud: [clusterIssuer] }),
    undefined,
    "535 The token is for another audience than this relay",
  ],
  [
    "for nobody",
    cluster.token({ ...claims, aud: undefined }),
    undefined,
    "535 The token is for another audience than this relay",
  ],
  ["of another cluster", other.token(claims), undefined, invalid],
  [
    "of another issuer",
    next.token({ ...claims, iss: "https://other" }),
    undefined,
    "535 The token is of no issuer that this relay takes tokens of",
  ],
  ["of another kind of key under the same id", next.token(claims, { kid: "cluster-1" }), undefined, invalid],
  ["without a signature", forgedToken(cluster, "none", claims), undefined, invalid],
  ["signed with what is public", forgedToken(cluster, "HS256", claims), undefined, invalid],
  ["of an algorithm that is not pinned", cluster.token(claims, { alg: "RS384" }), undefined, invalid],
  [
    "of a name that is no account's",
    cluster.token({ ...claims, sub: "system:serviceaccount:shop" }),
    undefined,
    "535 The token does not name its user in the claim that this relay looks at",
  ],
  ["without a key id, where there is one key", cluster.token(claims, { kid: undefined }), undefined, account],
  ["of a person", staff.token(person), undefined, "ann@example.com oidc:staff:user:ann@example.com"],
  ["of a person by name", staff.token(person), "ann@example.com", "ann@example.com oidc:staff:user:ann@example.com"],
  [
    "of a person under another's name",
    staff.token(person),
    "bob@example.com",
    "535 The user name is not that of the token: leave it empty, or name the token's",
  ],
  [
    "of a person with groups",
    staff.token({ ...person, groups: ["a", 5, "b"] }),
    undefined,
    "ann@example.com oidc:staff:user:ann@example.com oidc:staff:group:a oidc:staff:group:b",
  ],
  [
    "of a person with one group",
    staff.token({ ...person, groups: "a" }),
    undefined,
    "ann@example.com oidc:staff:user:ann@example.com oidc:staff:group:a",
  ],
  [
    "of a person whose address is unproven",
    staff.token({ ...person, email_verified: false }),
    undefined,
    "535 The token does not name its user in the claim that this relay looks at",
  ],
  [
    "of a person without a name",
    staff.token({ ...person, email: undefined }),
    undefined,
    "535 The token does not name its user in the claim that this relay looks at",
  ],
  [
    "of a person who calls himself an account",
    staff.token({ ...person, iss: clusterIssuer, aud: "mailboat" }),
    undefined,
    "454 The token's key is not known here yet, try again later",
  ],
  ["whose key id is an object without words", cluster.token(claims, { kid: { toString: 1 } }), undefined, invalid],
  ["whose key id is an empty object", cluster.token(claims, { kid: {} }), undefined, invalid],
  ["whose key id is a number", cluster.token(claims, { kid: 1 }), undefined, invalid],
  ["whose key id is null", cluster.token(claims, { kid: null }), undefined, invalid],
  ["whose algorithm is an object", cluster.token(claims, { alg: { toString: 1 } }), undefined, invalid],
  ["that is none", "eyJhbGciOiJub25l.eyJhbGciOiJub25l.eyJhbGciOiJub25l", undefined, invalid],
  ["that is a password", "correct horse", undefined, invalid],
];
for (const [what, token, username, expected] of rows) {
  test(`a token ${what} is told ${expected}`, async () => {
    assert.equal(await told(token, username === undefined ? {} : { username }), expected);
  });
}

for (const algorithm of ["RS256", "ES256", "EdDSA"] as const) {
  test(`a token with ${algorithm} logs in`, async () => {
    const issuer = signingIssuer(algorithm);
    const document = {
      kind: "ServiceAccounts",
      issuer: clusterIssuer,
      audience: "mailboat",
      keys: [issuer.key],
    } as const;
    assert.equal(await told(issuer.token(claims), { issuers: [{ ...document, keys: [issuer.key] }] }), account);
  });
}

test("a key that is not there yet is waited for, is told of, and is refused once it has had time to come", async () => {
  const keys = new UnknownKeys();
  const token = next.token({ ...claims, exp: seconds + 6_000 });
  const refused = async (at: number): Promise<string> => told(token, { keys, at });
  const forNow = "454 The token's key is not known here yet, try again later";
  assert.deepEqual(keys.awaited(now), []);
  assert.equal(await refused(now), forNow);
  assert.deepEqual(keys.awaited(now), [""]);
  assert.equal(await refused(now + 599_000), forNow);
  assert.equal(await refused(now + 601_000), "535 The token is signed with a key that its issuer does not publish");
  assert.deepEqual(keys.awaited(now + 599_000 + 91_000), []);
});

test("when the cluster has another issuer, its tokens are answered for now, and the operator hears of it; nobody can invent that", async () => {
  const keys = new UnknownKeys();
  const moved = { ...claims, iss: "https://oidc.example.com/cluster" };
  const forNow = "454 The token's issuer is not known here yet, try again later or with a new token";
  assert.equal(await told(other.token(moved), { keys }), invalid);
  assert.equal((await told(cluster.token({ ...moved, aud: ["other"] }), { keys })).slice(0, 3), "535");
  assert.equal((await told(cluster.token({ ...moved, exp: seconds - 1 }), { keys })).slice(0, 3), "535");
  assert.deepEqual(keys.awaited(now), []);
  assert.equal(await told(cluster.token({ ...moved, iss: { toString: 1 } })), forNow);
  assert.equal(await told(cluster.token(moved), { keys }), forNow);
  assert.deepEqual(keys.awaited(now), [""]);
  const check = createTokenCheck({ now: () => now, unknownKeys: keys });
  assert.equal(await check.isOfOne(issuers, cluster.token(moved)), true);
  assert.equal(await check.isOfOne(issuers, next.token(moved)), false);
});

test("a key that is listed twice is one", async () => {
  const twice: TokenIssuerDocument = {
    kind: "ServiceAccounts",
    issuer: clusterIssuer,
    audience: "mailboat",
    keys: [cluster.key, cluster.key],
  };
  assert.equal(await told(cluster.token(claims), { issuers: [twice] }), account);
  const listed = readTokenKeys({
    keys: [cluster.jwk, { ...cluster.jwk, alg: undefined }, { ...cluster.jwk, alg: "RS512" }],
  });
  assert.deepEqual(listed, [cluster.key]);
});

test("what nobody would let in anyway is not waited for", async () => {
  for (const wrong of [{ exp: seconds - 1 }, { aud: "other" }, { iss: "https://other" }]) {
    const keys = new UnknownKeys();
    assert.equal((await told(next.token({ ...claims, ...wrong }), { keys })).slice(0, 3), "535");
    assert.deepEqual(keys.awaited(now), []);
  }
});

test("while no key of an issuer was ever read, its tokens are refused for now, however long that is", async () => {
  const keys = new UnknownKeys();
  const unread: TokenIssuerDocument = { kind: "ServiceAccounts", audience: "mailboat", keys: [] };
  const token = cluster.token({ ...claims, exp: seconds + 6_000 });
  for (const at of [now, now + 600_000]) {
    assert.equal((await told(token, { issuers: [unread], keys, at })).slice(0, 3), "454");
  }
});

test("a key that this release does not know keeps no other from its work", async () => {
  const keys = [{ kty: "AKP", kid: "of tomorrow", pub: "x" }, cluster.key];
  assert.equal(
    await told(cluster.token(claims), {
      issuers: [{ kind: "ServiceAccounts", issuer: clusterIssuer, audience: "mailboat", keys }],
    }),
    account,
  );
});

test("only a token of one of the issuers is no password", async () => {
  const check = createTokenCheck({ now: () => now, unknownKeys: new UnknownKeys() });
  assert.equal(await check.isOfOne(issuers, cluster.token(claims)), true);
  assert.equal(await check.isOfOne(issuers, next.token({ ...claims, iss: "https://other" })), false);
  assert.equal(await check.isOfOne(issuers, "correct horse"), false);
  assert.equal(await check.isOfOne([], cluster.token(claims)), false);
  assert.equal(looksLikeToken("first.middle.last"), false);
});
