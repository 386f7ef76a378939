import assert from "node:assert/strict";
import { test } from "node:test";
import { credentialOf } from "../../../test/support/submission.ts";
import { signingIssuer } from "../../../test/support/tokens.ts";
import type { CredentialDocument, TokenIssuerDocument } from "../../../api/relayconfig.ts";
import { knownTokenKeys } from "../../../api/identity/tokenkey.ts";
import { askAgain, networkPrincipal, type Principal } from "./principal.ts";

const [one, other] = [credentialOf("shop", "a/one"), credentialOf("shop", "b/other")];
const changed = credentialOf("shop", "a/one", "another password");
const moved = credentialOf("shop", "c/elsewhere");
const user: Principal = {
  kind: "user",
  name: "shop",
  proof: { kind: "password", credentials: [one, other] },
  until: undefined,
};
const ending: Principal["proof"] = { kind: "password", credentials: [{ ...one, expiresAt: 5 }] };
const network = networkPrincipal("192.0.2.1");

function leftOf(principal: Principal | undefined): string {
  if (principal === undefined) return "nothing";
  const { proof } = principal;
  return proof.kind === "password" ? proof.credentials.map(({ identity }) => identity).join() : proof.kind;
}

/** Credentials of the user's name, those of another, and the time. */
const rows: readonly (readonly [string, Principal, readonly CredentialDocument[], number, string])[] = [
  ["as it was", user, [one, other], 0, "a/one,b/other"],
  ["in another order and with more", user, [moved, other, one], 0, "a/one,b/other"],
  ["one Secret is gone", user, [other], 0, "b/other"],
  ["one has another password", user, [changed, other], 0, "b/other"],
  ["one has another password and the other is gone", user, [changed], 0, "nothing"],
  ["the same password is in another Secret now", user, [moved], 0, "nothing"],
  ["the user is gone", user, [], 0, "nothing"],
  ["a network asks no credential", network, [], 0, "address"],
  ["a moment before its end", { ...user, until: 5 }, [one], 4, "a/one"],
  ["at its end", { ...user, until: 5 }, [one], 5, "nothing"],
  ["a moment before one Secret's time is over", user, [{ ...one, expiresAt: 5 }, other], 4, "a/one,b/other"],
  ["one Secret's time is over", user, [{ ...one, expiresAt: 5 }, other], 5, "b/other"],
  [
    "the time of both is over",
    user,
    [
      { ...one, expiresAt: 5 },
      { ...other, expiresAt: 6 },
    ],
    6,
    "nothing",
  ],
  ["its time was put off", { ...user, proof: ending }, [{ ...one, expiresAt: 9 }], 6, "a/one"],
  ["any proof has an end", { ...network, until: 5 }, [], 6, "nothing"],
];
for (const [what, principal, credentials, at, expected] of rows) {
  test(`askAgain() leaves ${expected}: ${what}`, () => {
    assert.equal(
      leftOf(askAgain(principal, { credentials: new Map([["shop", credentials]]), relay: {} }, at)),
      expected,
    );
  });
}

const issued: TokenIssuerDocument = {
  kind: "OIDC",
  name: "staff",
  issuer: "https://login.example.com",
  audience: "mailboat",
  usernameClaim: "sub",
  keys: [signingIssuer("ES256", "a").key, signingIssuer("ES256", "b").key],
};
const [keyA, keyB] = knownTokenKeys(issued.keys);
const issuerRows: readonly (readonly [string, readonly TokenIssuerDocument[], boolean])[] = [
  ["nothing was loaded since", [issued], true],
  ["all is loaded anew", [structuredClone(issued)], true],
  ["another key came", [{ ...issued, keys: [...issued.keys, signingIssuer("ES256", "c").key] }], true],
  ["its key is gone", [{ ...issued, keys: issued.keys.slice(1) }], false],
  ["another key has its id", [{ ...issued, keys: [signingIssuer("ES256", "a").key] }], false],
  ["the issuer is gone", [], false],
  ["another audience is asked for", [{ ...issued, audience: "other" }], false],
  ["another claim names the user", [{ ...issued, usernameClaim: "email" }], false],
];
for (const [what, tokenIssuers, stands] of issuerRows) {
  test(`askAgain() ${stands ? "keeps" : "ends"} a token's login: ${what}`, () => {
    assert.ok(keyA !== undefined && keyB !== undefined);
    const proof = { kind: "token", issuer: issued, key: keyA, identities: ["x"] } as const;
    const principal: Principal = { kind: "user", name: "x", proof, until: 5 };
    const standing = { credentials: new Map(), relay: { tokenIssuers: [...tokenIssuers] } };
    assert.equal(askAgain(principal, standing, 0), stands ? principal : undefined);
    assert.equal(askAgain(principal, standing, 5), undefined);
  });
}

test("askAgain() asks by the user's own name", () => {
  const credentials = new Map([["another", [one, other]]]);
  assert.equal(leftOf(askAgain(user, { credentials, relay: {} }, 0)), "nothing");
});
