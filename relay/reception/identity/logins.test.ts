/** What one session's logins come to when something of ours fails. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { relayDocumentOf, snapshotOf } from "../../../test/support/relayvalues.ts";
import { FailedLogins } from "../../limits/failedlogins.ts";
import { Logins } from "./logins.ts";
import { invalidLogin } from "./mechanism.ts";
import { createPasswordCheck } from "./passwords.ts";
import { Restraint } from "./restraint.ts";
import { createTokenCheck } from "./tokens/tokens.ts";
import { UnknownKeys } from "./tokens/unknownkeys.ts";
import { LoginUses } from "./uses.ts";

const clock = { now: () => 0 };

function loginsWhere(isBroken: () => boolean, ended: string[]): Logins {
  return new Logins({
    snapshot: () => {
      if (isBroken()) throw new Error("it is broken");
      return snapshotOf(relayDocumentOf({}));
    },
    passwords: createPasswordCheck(),
    tokens: createTokenCheck({ now: clock.now, unknownKeys: new UnknownKeys() }),
    uses: new LoginUses(),
    restraint: new Restraint({
      limits: new FailedLogins(clock),
      client: "192.0.2.1",
      isSpared: () => false,
      slowMs: 0,
      onHeldBack: () => assert.fail("nobody has guessed so often"),
    }),
    now: clock.now,
    onExpired: () => undefined,
    certificate: () => invalidLogin,
    onEnd: (mechanism, result) => ended.push(`${mechanism} ${result}`),
  });
}

/** What a client that answers all that it is asked is told in the end. */
async function logIn(logins: Logins, mechanism: string, answers: readonly string[]): Promise<string> {
  const exchange = logins.exchange(mechanism);
  assert.ok(exchange !== undefined);
  try {
    let step = await exchange(undefined);
    for (const answer of answers) if (step.kind === "challenge") step = await step.answer(Buffer.from(answer));
    return step.kind === "refusal" ? String(step.code) : step.kind;
  } catch (error) {
    return String(error);
  }
}

test("logins that we cannot look at are failures of the session: the third ends it, whichever they are", async () => {
  for (const broken of [[1, 2, 3], [1, 2], [3]]) {
    const ended: string[] = [];
    let turn = 0;
    const logins = loginsWhere(() => broken.includes(turn), ended);
    const told: string[] = [];
    for (turn = 1; turn <= 3; turn += 1) {
      const isPlain = turn !== 2;
      const answers = isPlain ? [`\0nobody\0wrong${turn}`] : ["nobody", "wrong"];
      told.push(await logIn(logins, isPlain ? "PLAIN" : "LOGIN", answers));
    }
    const of = (each: number): string => (broken.includes(each) ? "Error: it is broken" : "535");
    assert.deepEqual(told, [of(1), of(2), "421"]);
    assert.deepEqual(ended, ["PLAIN failure", "LOGIN failure", "PLAIN failure"]);
  }
});
