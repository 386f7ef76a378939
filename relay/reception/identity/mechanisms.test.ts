/** Each mechanism as the client and the server speak it, against the password of one user. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { channelWithoutName } from "../../smtp/server/channel.ts";
import { networkPrincipal } from "./principal.ts";
import { invalidLogin, type Proofs, type Step } from "./mechanism.ts";
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
    if (step.kind !== "challenge") return said;
    const response = responses.shift();
    if (response === undefined) return said;
    step = await step.answer(Buffer.from(response));
  }
}

function wordsOf(step: Step): string {
  if (step.kind === "challenge") return `?${step.data.toString()}`;
  return step.kind === "proven" ? step.principal.name : `${step.code} ${step.enhanced}`;
}

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
  assert.deepEqual(mechanismNames(unnamed), ["PLAIN", "LOGIN", "EXTERNAL", "SCRAM-SHA-256"]);
  assert.equal(mechanismNamed("SCRAM-SHA-256-PLUS", unnamed), undefined);
});
