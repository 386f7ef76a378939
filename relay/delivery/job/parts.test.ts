import assert from "node:assert/strict";
import { test } from "node:test";
import { judge, type Trouble } from "../../mail/outcome.ts";
import { newMessage } from "../../../test/support/relayvalues.ts";
import { groupRecipients, Parting, recipientsPerTransaction, type Ending } from "./parts.ts";

test("groupRecipients() keeps the order, splits by route and at the limit of a transaction", () => {
  const recipients = Array.from({ length: 250 }, (_, index) => ({ index, address: `${index}@x.test`, attempts: 1 }));
  const groups = groupRecipients(recipients, ({ index }) => (index % 5 === 0 ? "fifth" : "rest"));
  assert.deepEqual(
    groups.map((group) => [group.routeKey, group.recipients.length]),
    [
      ["fifth", 50],
      ["rest", recipientsPerTransaction],
      ["rest", recipientsPerTransaction],
    ],
  );
  assert.deepEqual(groups[0]?.recipients[1]?.index, 5);
});

function ends(count: number, trouble: Trouble): Ending[] {
  const one: Ending = { kind: "undelivered", verdict: judge(trouble), phase: trouble.phase };
  return Array.from({ length: count }, () => one);
}

const closing: Trouble = { phase: "rcpt", reply: { code: 421, enhanced: "4.7.0", text: "no" } };

test("Parting makes the next transactions of a message smaller until everybody is alone", () => {
  const parting = new Parting();
  const { id } = newMessage().message;
  assert.equal(parting.sizeFor(id), recipientsPerTransaction);
  parting.learn(id, [...ends(59, { phase: "rcpt" }), ...ends(1, closing)]);
  assert.equal(parting.sizeFor(id), 6);
  parting.learn(id, ends(6, closing));
  assert.equal(parting.sizeFor(id), 1);
  // Another transaction of the first attempt ends later.
  parting.learn(id, ends(60, closing));
  assert.equal(parting.sizeFor(id), 1);
});

const others: readonly (readonly [string, readonly Ending[]])[] = [
  ["the host cannot be reached", ends(10, { phase: "connect" })],
  ["the host says 421 to everybody", ends(10, { ...closing, phase: "greeting" })],
  ["the host says 421 to the sender", ends(10, { ...closing, phase: "mail" })],
  ["each was put off for itself", ends(10, { phase: "rcpt", reply: { code: 450, enhanced: "4.2.0", text: "no" } })],
  ["the message was refused", ends(10, { phase: "end", reply: { code: 451, enhanced: "4.7.1", text: "no" } })],
  ["it was alone", ends(1, closing)],
  ["all were taken", Array.from({ length: 10 }, () => ({ kind: "delivered" }))],
];

for (const [name, endings] of others) {
  test(`Parting leaves a message together when ${name}`, () => {
    const parting = new Parting();
    const { id } = newMessage().message;
    parting.learn(id, endings);
    assert.equal(parting.sizeFor(id), recipientsPerTransaction);
  });
}

test("Parting remembers the newest messages", () => {
  const parting = new Parting();
  const ids = Array.from({ length: 10_001 }, () => newMessage().message.id);
  for (const id of ids) parting.learn(id, ends(2, closing));
  const [oldest, second] = ids;
  assert.ok(oldest && second);
  assert.deepEqual([parting.sizeFor(oldest), parting.sizeFor(second)], [recipientsPerTransaction, 1]);
});
