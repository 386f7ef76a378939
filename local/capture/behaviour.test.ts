import assert from "node:assert/strict";
import { test } from "node:test";
import { answerRecipient, behaviourOf, behaviourRows, planContent } from "./behaviour.ts";

const answers: readonly (readonly [address: string, count: number, sinceFirstMs: number, code: number | undefined])[] =
  [
    ["anybody@example.net", 0, 0, undefined],
    ["tempfail@example.net", 0, 0, 451],
    ["tempfail@example.net", 1, 1_000, 451],
    ["tempfail@example.net", 2, 2_000, undefined],
    ["TempFail+7@example.net", 0, 0, 451],
    ["tempfailure@example.net", 0, 0, undefined],
    ["greylist@example.net", 0, 0, 451],
    ["greylist@example.net", 3, 4_999, 451],
    ["greylist@example.net", 4, 5_000, undefined],
    ["full@example.net", 99, 99_999, 452],
    ["refuse@example.net", 0, 0, 550],
    ["400@example.net", 5, 0, 400],
    ["421@example.net", 0, 0, 421],
    ["599@example.net", 0, 0, 599],
    ["600@example.net", 0, 0, undefined],
    ["250@example.net", 0, 0, undefined],
    ["5500@example.net", 0, 0, undefined],
    ["slow@example.net", 0, 0, undefined],
    ["spam@example.net", 0, 0, undefined],
    ["drop@example.net", 0, 0, undefined],
  ];

for (const [address, count, sinceFirstMs, code] of answers) {
  test(`RCPT of ${address}, ${count} tries before, the first ${sinceFirstMs} ms ago: ${code ?? "accepted"}`, () => {
    const tries = { count, firstAt: count === 0 ? undefined : 1_000_000 };
    assert.equal(answerRecipient(behaviourOf(address), tries, 1_000_000 + sinceFirstMs)?.code, code);
  });
}

test("a message does what the strictest of its recipients asks for", () => {
  const reply = behaviourRows.find((row) => row.localPart === "spam")?.behaviour;
  assert.ok(reply?.kind === "refuse-content");
  assert.deepEqual(planContent(["a@example.net"]), { waitMs: 0, cut: false, refusal: undefined });
  assert.deepEqual(planContent(["a@example.net", "slow@example.net", "drop@example.net", "spam@example.net"]), {
    waitMs: 5_000,
    cut: true,
    refusal: { address: "spam@example.net", reply: reply.reply },
  });
});

test("each row has a local part of its own, which behaves", () => {
  assert.equal(new Set(behaviourRows.map((row) => row.localPart)).size, behaviourRows.length);
  for (const row of behaviourRows) assert.equal(behaviourOf(`${row.localPart}@example.net`), row.behaviour);
});
