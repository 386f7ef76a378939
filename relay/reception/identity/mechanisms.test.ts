/** Each mechanism as the client and the server speak it, against the password of one user. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { channelWithoutName } from "../../smtp/server/channel.ts";
import { networkPrincipal } from "./principal.ts";
import { invalidLogin, type Proofs, type Step, unknownKey } from "./mechanism.ts";
import { mechanismNamed, mechanismNames } from "./mechanisms.ts";

const proofs: Proofs = {
  challenge: () => assert.fail("no SCRAM here"),
  nonce: () => "",
  channel: { hasName: true, namesOf: () => [] },
  password: async ({ username, password }) =>
    Promise.resolve(
      username === "shop" && password === "pass word\u00e9"
        ? { kind: "proven", principal: { ...networkPrincipal("x"), kind: "user", name: username } }
        : invalidLogin,
    ),
  certificate: (authzid) =>
    ["", "erp"].includes(authzid)
      ? { kind: "proven", principal: { ...networkPrincipal("x"), kind: "user", name: "erp" } }
      : invalidLogin,
  token: async ({ username, token }) =>
    Promise.resolve(
      token === "to-ken"
        ? { kind: "proven", principal: { ...networkPrincipal("x"), kind: "user", name: `of ${username}` } }
        : token === "new-key"
          ? unknownKey
          : invalidLogin,
    ),
  areTokensTaken: () => true,
};

/** What the server says to each message; undefined for a client that sends none with AUTH. */
async function dialogue(name: string, messages: readonly (string | undefined)[]): Promise<string[]> {
  const mechanism = mechanismNamed(name, proofs);
  assert.ok(mechanism !== undefined);
  const said: string[] = [];
  const [initial, ...responses] = messages;
  let step: Step = await mechanism.begin(initial === undefined ? undefined : Buffer.from(initial), proofs);
  for (;;) {
    said.push(wordsOf(step));
    if (step.kind === "notice") {
      const { refused } = step;
      said.push(wordsOf(refused));
    }
    if (step.kind !== "challenge") return said;
    const response = responses.shift();
    if (response === undefined) return said;
    step = await step.answer(Buffer.from(response));
  }
}

function wordsOf(step: Step): string {
  if (step.kind === "challenge" || step.kind === "notice") return `?${step.data.toString()}`;
  return step.kind === "proven" ? step.principal.name : `${step.code} ${step.enhanced}`;
}

/** RFC 7628 section 3.2.2, and what providers send who have XOAUTH2. */
const bearerNotice = '{"status":"invalid_token","schemes":"bearer"}';
const xoauth2Notice = '{"status":"401","schemes":"bearer","scope":""}';
const good = "pass word\u00e9";
const rows: readonly (readonly [string, string, readonly (string | undefined)[], readonly string[]])[] = [
  ["PLAIN", "at once", [`\0shop\0${good}`], ["shop"]],
  ["PLAIN", "after an empty challenge", [undefined, `\0shop\0${good}`], ["?", "shop"]],
  ["PLAIN", "as oneself", [`shop\0shop\0${good}`], ["shop"]],
  ["PLAIN", "with the name in the first place alone", [`shop\0\0${good}`], ["shop"]],
  ["PLAIN", "for another", [`boss\0shop\0${good}`], ["535 5.7.8"]],
  ["PLAIN", "a wrong password", ["\0shop\0wrong"], ["535 5.7.8"]],
  ["PLAIN", "no password", ["\0shop\0"], ["535 5.7.8"]],
  ["PLAIN", "no name", [`\0\0${good}`], ["535 5.7.8"]],
  ["PLAIN", "two parts", ["shop\0x"], ["501 5.5.2"]],
  ["PLAIN", "four parts", ["\0shop\0x\0y"], ["501 5.5.2"]],
  ["PLAIN", "nothing", [""], ["501 5.5.2"]],
  ["PLAIN", "a line end in the name", [`\0sh\nop\0${good}`], ["501 5.5.2"]],
  ["PLAIN", "a line end of C1 in the identity", [`sh\u0085op\0\0${good}`], ["501 5.5.2"]],
  ["LOGIN", "name and password", [undefined, "shop", good], ["?Username:", "?Password:", "shop"]],
  ["LOGIN", "the name at once", ["shop", good], ["?Password:", "shop"]],
  ["LOGIN", "a wrong password", ["shop", "wrong"], ["?Password:", "535 5.7.8"]],
  ["LOGIN", "no password", ["shop", ""], ["?Password:", "535 5.7.8"]],
  ["LOGIN", "no name", [undefined, ""], ["?Username:", "501 5.5.2"]],
  ["LOGIN", "no name at once", [""], ["501 5.5.2"]],
  ["LOGIN", "NUL in the name", ["sh\0op"], ["501 5.5.2"]],
  ["EXTERNAL", "no name at once", [""], ["erp"]],
  ["EXTERNAL", "no name after an empty challenge", [undefined, ""], ["?", "erp"]],
  ["EXTERNAL", "its own name", ["erp"], ["erp"]],
  ["EXTERNAL", "the name of another", [undefined, "boss"], ["?", "535 5.7.8"]],
  ["EXTERNAL", "a NUL in the name", ["er\0p"], ["501 5.5.2"]],
  ["OAUTHBEARER", "a token", ["n,,\x01auth=Bearer to-ken\x01\x01"], ["of "]],
  ["OAUTHBEARER", "a token after an empty challenge", [undefined, "n,,\x01auth=Bearer to-ken\x01\x01"], ["?", "of "]],
  ["OAUTHBEARER", "a name", ["n,a=a=2Cb=3Dc,\x01host=h\x01port=587\x01auth=bearer to-ken\x01\x01"], ["of a,b=c"]],
  ["OAUTHBEARER", "y for channel binding", ["y,a=u,\x01auth=Bearer to-ken\x01\x01"], ["of u"]],
  ["OAUTHBEARER", "a wrong token", ["n,,\x01auth=Bearer wrong\x01\x01"], [`?${bearerNotice}`, "535 5.7.8"]],
  ["OAUTHBEARER", "a key that is not known", ["n,,\x01auth=Bearer new-key\x01\x01"], ["454 4.7.0"]],
  ["OAUTHBEARER", "channel binding", ["p=tls-exporter,,\x01auth=Bearer to-ken\x01\x01"], ["501 5.5.2"]],
  ["OAUTHBEARER", "no header", ["\x01auth=Bearer to-ken\x01\x01"], ["501 5.5.2"]],
  ["OAUTHBEARER", "no token", ["n,,\x01host=h\x01\x01"], ["501 5.5.2"]],
  ["OAUTHBEARER", "two tokens", ["n,,\x01auth=Bearer to-ken\x01auth=Bearer to-ken\x01\x01"], ["501 5.5.2"]],
  ["OAUTHBEARER", "no end", ["n,,\x01auth=Bearer to-ken\x01"], ["501 5.5.2"]],
  ["OAUTHBEARER", "another scheme", ["n,,\x01auth=Basic to-ken\x01\x01"], ["501 5.5.2"]],
  ["OAUTHBEARER", "a line end in the name", ["n,a=u\n,\x01auth=Bearer to-ken\x01\x01"], ["501 5.5.2"]],
  ["OAUTHBEARER", "nothing", [""], ["501 5.5.2"]],
  ["XOAUTH2", "a token", ["user=u\x01auth=Bearer to-ken\x01\x01"], ["of u"]],
  ["XOAUTH2", "a token and no name", ["user=\x01auth=Bearer to-ken\x01\x01"], ["of "]],
  ["XOAUTH2", "a token after an empty challenge", [undefined, "user=u\x01auth=Bearer to-ken\x01\x01"], ["?", "of u"]],
  ["XOAUTH2", "a wrong token", ["user=u\x01auth=Bearer wrong\x01\x01"], [`?${xoauth2Notice}`, "535 5.7.8"]],
  ["XOAUTH2", "a key that is not known", ["user=u\x01auth=Bearer new-key\x01\x01"], ["454 4.7.0"]],
  ["XOAUTH2", "no user", ["auth=Bearer to-ken\x01\x01"], ["501 5.5.2"]],
  ["XOAUTH2", "no end", ["user=u\x01auth=Bearer to-ken"], ["501 5.5.2"]],
];
for (const [name, what, messages, said] of rows) {
  test(`${name} with ${what} hears ${said.join(", ")}`, async () => {
    assert.deepEqual(await dialogue(name, messages), said);
  });
}

/** In scramexchange.test.ts. */
const others = ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"];

test("the mechanisms are those that have rows, and a name is found as it is written", () => {
  assert.deepEqual(mechanismNames(proofs), [...new Set(rows.map(([name]) => name)), ...others]);
  assert.deepEqual(
    ["plain", "", "constructor", "CRAM-MD5", "NTLM", "SCRAM-SHA-1"].map((name) => mechanismNamed(name, proofs)),
    Array.from({ length: 6 }, () => undefined),
  );
});

test("a mechanism that cannot work in this session is neither named nor found", () => {
  const unnamed: Proofs = { ...proofs, channel: channelWithoutName };
  assert.deepEqual(mechanismNames(unnamed), ["PLAIN", "LOGIN", "EXTERNAL", "OAUTHBEARER", "XOAUTH2", "SCRAM-SHA-256"]);
  assert.equal(mechanismNamed("SCRAM-SHA-256-PLUS", unnamed), undefined);
});

test("mechanisms for tokens exist only where somebody's tokens are taken", () => {
  const without: Proofs = { ...proofs, areTokensTaken: () => false };
  assert.deepEqual(mechanismNames(without), ["PLAIN", "LOGIN", "EXTERNAL", ...others]);
  assert.equal(mechanismNamed("XOAUTH2", without), undefined);
});
