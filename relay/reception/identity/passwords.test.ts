import assert from "node:assert/strict";
import { test } from "node:test";
import { credentialOf, password } from "../../../test/support/submission.ts";
import type { CredentialDocument } from "../../../api/relayconfig.ts";
import type { Refusal } from "../../mail/reply.ts";
import type { Proven } from "./mechanism.ts";
import { createPasswordCheck } from "./passwords.ts";
import { matchesVerifier } from "./scram.ts";

// The user "user" with the password "pencil" of RFC 7677 section 3, as PostgreSQL stores it.
const pencil = {
  iterations: 4096,
  salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
  storedKey: "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=",
  serverKey: "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
};

test("matchesVerifier() agrees with the example of RFC 7677", async () => {
  assert.equal(await matchesVerifier("pencil", pencil), true);
  assert.equal(await matchesVerifier("pencil ", pencil), false);
  assert.equal(await matchesVerifier("", pencil), false);
});

test("matchesVerifier() never matches a key of another length", async () => {
  assert.equal(await matchesVerifier("pencil", { ...pencil, storedKey: "" }), false);
});

function mapOf(...credentials: readonly CredentialDocument[]): ReadonlyMap<string, readonly CredentialDocument[]> {
  return Map.groupBy(credentials, (credential) => credential.username);
}

/** Of the Secrets whose password it was. */
function identitiesOf(result: Proven | Refusal): readonly string[] {
  assert.ok(result.kind === "proven" && result.principal.proof.kind === "password");
  return result.principal.proof.credentials.map(({ identity }) => identity).sort();
}

const two = mapOf(
  credentialOf("shop", "a/one"),
  credentialOf("shop", "b/two"),
  credentialOf("shop", "c/other", "another"),
);

test("a user name of several credentials proves those whose password it is, the second time as well", async () => {
  const passwords = createPasswordCheck();
  for (const round of ["derived", "remembered"]) {
    const proven = await passwords.prove(two, { username: "shop", password });
    assert.deepEqual(identitiesOf(proven), ["a/one", "b/two"], round);
    const other = await passwords.prove(two, { username: "shop", password: "another" });
    assert.deepEqual(identitiesOf(other), ["c/other"], round);
  }
});

for (const [what, login] of [
  ["a wrong password", { username: "shop", password: "wrong" }],
  ["an unknown user", { username: "nobody", password }],
  ["an empty password", { username: "shop", password: "" }],
  ["a password of many kilobytes", { username: "shop", password: "x".repeat(5000) }],
] as const) {
  test(`${what} is 535 5.7.8`, async () => {
    const refused = await createPasswordCheck().prove(two, login);
    assert.equal(refused.kind === "refusal" && `${refused.code} ${refused.enhanced}`, "535 5.7.8");
  });
}

test("a success is forgotten with the password it proved", async () => {
  const passwords = createPasswordCheck();
  const login = { username: "shop", password };
  assert.equal((await passwords.prove(mapOf(credentialOf("shop", "a/one")), login)).kind, "proven");
  const changed = mapOf(credentialOf("shop", "a/one", "changed"));
  assert.equal((await passwords.prove(changed, login)).kind, "refusal");
});

test("a flood of logins is answered 454 instead of filling the thread pool", async () => {
  const passwords = createPasswordCheck();
  const logins = Array.from({ length: 400 }, async (_, index) =>
    passwords.prove(mapOf(), { username: `user${index}`, password }),
  );
  const codes = (await Promise.all(logins)).map((result) => (result.kind === "refusal" ? result.code : 0));
  assert.equal(codes.filter((code) => code === 535).length, 258);
  assert.equal(codes.filter((code) => code === 454).length, 142);
});

/** CPU of the process, its thread pool included: how busy the machine is does not count. */
async function costOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

test("an unknown user costs what a wrong password costs: time tells nobody which names exist", async () => {
  const passwords = createPasswordCheck();
  const credential = credentialOf("shop", "a/one");
  const costly = mapOf({ ...credential, scram: { ...credential.scram, iterations: 200_000 } });
  const attempt = (username: string) => () => passwords.prove(costly, { username, password: "wrong" });
  const wrong = await costOf(attempt("shop"));
  const unknown = await costOf(attempt("nobody"));
  assert.ok(unknown > wrong / 2 && unknown < wrong * 2, `${unknown} and ${wrong} microseconds`);
});
