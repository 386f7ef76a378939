import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostAnswer, Trouble } from "../../mail/hostanswer.ts";
import type { Route } from "../policy/route.ts";
import { newMessage } from "../../../test/support/relayvalues.ts";
import { groupRecipients, Parting, recipientsPerTransaction } from "./parts.ts";

test("groupRecipients() keeps the order, splits by route and at the limit of a transaction", () => {
  const recipients = Array.from({ length: 250 }, (_, index) => ({ index, address: `${index}@x.test`, attempts: 1 }));
  const routeOf = (key: string): Route => ({ kind: "mx", key, domain: "x.test" });
  const groups = groupRecipients(recipients, ({ index }) => routeOf(index % 5 === 0 ? "fifth" : "rest"));
  assert.deepEqual(
    groups.map((group) => [group.route.key, group.recipients.length]),
    [
      ["fifth", 50],
      ["rest", recipientsPerTransaction],
      ["rest", recipientsPerTransaction],
    ],
  );
  assert.deepEqual(groups[0]?.recipients[1]?.index, 5);
});

function answers(count: number, trouble: Trouble): HostAnswer[] {
  return Array.from({ length: count }, () => ({ kind: "trouble", trouble }));
}

const closing: Trouble = { phase: "rcpt", reply: { code: 421, enhanced: "4.7.0", text: "no" } };

test("Parting makes the next transactions of a message smaller until everybody is alone", () => {
  const parting = new Parting();
  const { id } = newMessage().message;
  assert.equal(parting.sizeFor(id), recipientsPerTransaction);
  parting.learn(id, [...answers(59, { phase: "rcpt" }), ...answers(1, closing)]);
  assert.equal(parting.sizeFor(id), 6);
  parting.learn(id, answers(6, closing));
  assert.equal(parting.sizeFor(id), 1);
  // Another transaction of the first attempt ends later.
  parting.learn(id, answers(60, closing));
  assert.equal(parting.sizeFor(id), 1);
});

const others: readonly (readonly [string, readonly HostAnswer[]])[] = [
  ["the host cannot be reached", answers(10, { phase: "connect" })],
  ["the host says 421 to everybody", answers(10, { ...closing, phase: "greeting" })],
  ["the host says 421 to the sender", answers(10, { ...closing, phase: "mail" })],
  ["each was put off for itself", answers(10, { phase: "rcpt", reply: { code: 450, enhanced: "4.2.0", text: "no" } })],
  ["the message was refused", answers(10, { phase: "end", reply: { code: 451, enhanced: "4.7.1", text: "no" } })],
  ["it was alone", answers(1, closing)],
  [
    "all were taken",
    Array.from({ length: 10 }, () => ({ kind: "accepted", reply: { code: 250, text: "taken" }, dsn: false })),
  ],
];

for (const [name, given] of others) {
  test(`Parting leaves a message together when ${name}`, () => {
    const parting = new Parting();
    const { id } = newMessage().message;
    parting.learn(id, given);
    assert.equal(parting.sizeFor(id), recipientsPerTransaction);
  });
}

test("Parting remembers the newest messages", () => {
  const parting = new Parting();
  const ids = Array.from({ length: 10_001 }, () => newMessage().message.id);
  for (const id of ids) parting.learn(id, answers(2, closing));
  const [oldest, second] = ids;
  assert.ok(oldest && second);
  assert.deepEqual([parting.sizeFor(oldest), parting.sizeFor(second)], [recipientsPerTransaction, 1]);
});
