/** Every field of a message and of a recipient, by the lists in message.ts: rows and the way to another pod follow from them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { newMessage } from "../../../test/support/relayvalues.ts";
import { UnreadableRowError, wireShape, type ColumnValue } from "./field.ts";
import { messageFields, scheduledFields, type Message, type ScheduledRecipient } from "./message.ts";
import {
  contentColumns,
  messageColumns,
  messageIn,
  messageRow,
  recipientColumns,
  recipientIn,
  type Row,
} from "./row.ts";
import { messageOf, storedOf } from "./stored.ts";

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const { message: bare, recipients } = newMessage();
const full: Message = { ...bare, smtpUtf8: true, eightBit: true, ret: "FULL", envid: "e+2B1", traceparent };
const [first] = recipients;
assert.ok(first);
const fresh: ScheduledRecipient = { ...first, dueAt: 1_800_000_000_000 };
const tried: ScheduledRecipient = {
  ...fresh,
  notify: ["FAILURE", "DELAY"],
  orcpt: "rfc822;a@example.net",
  attempts: 2,
  lastReply: { code: 451, enhanced: "4.2.0", text: "later" },
  delayNotified: true,
  lastAttempt: traceparent,
  stays: true,
};

function rowOf(names: readonly string[], values: readonly ColumnValue[]): Row {
  assert.equal(names.length, values.length);
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? null]));
}

function messageRowOf(message: Message): Row {
  return rowOf(["id", ...messageColumns.names, ...contentColumns], messageRow(storedOf(message)));
}

test("a message and its recipients come out of their rows as they went in, whatever they lack", () => {
  for (const message of [bare, full, { ...full, body: { kind: "file", sizeBytes: 9 } } as const]) {
    assert.deepEqual(messageOf(messageIn(messageRowOf(message))), message);
  }
  for (const recipient of [fresh, tried]) {
    assert.deepEqual(recipientIn(rowOf(recipientColumns.names, recipientColumns.write(recipient))), recipient);
  }
});

test("the values above have every field there is, so that a new one is looked at here", () => {
  assert.deepEqual(
    Object.keys(messageFields).filter((name) => !(name in full)),
    [],
  );
  assert.deepEqual(
    Object.keys(scheduledFields).filter((name) => !(name in tried)),
    [],
  );
});

test("every field travels to another pod, and what that one does not know is passed over there", () => {
  const onTheWay: unknown = JSON.parse(JSON.stringify({ ...tried, later: "by a newer release" }));
  assert.deepEqual(z.object(wireShape(scheduledFields)).parse(onTheWay), tried);
});

test("a row of an older release lacks the columns that came later, and none of its values", () => {
  for (const [name, { column, presence }] of Object.entries(messageFields)) {
    const { [column]: _, ...older } = messageRowOf(full);
    if (presence === "sometimes") assert.equal(name in messageIn(older), false);
    else assert.throws(() => messageIn(older), UnreadableRowError);
  }
});

test("a value that is none of ours is unreadable by its column, and is not told", () => {
  const row = messageRowOf(full);
  const secret = "somebody@example.net";
  for (const { column } of Object.values(messageFields)) {
    for (const value of [new Uint8Array([0]), Buffer.from(secret)]) {
      assert.throws(
        () => messageIn({ ...row, [column]: value }),
        (error) => error instanceof UnreadableRowError && error.message.startsWith(`column ${column} `),
      );
    }
  }
  const columns = { last_reply: secret, notify: secret, attempts: -1, due_at: 0.5, delay_notified: 2, idx: secret };
  for (const [column, value] of Object.entries(columns)) {
    const spoiled = { ...rowOf(recipientColumns.names, recipientColumns.write(tried)), [column]: value };
    assert.throws(
      () => recipientIn(spoiled),
      (error) =>
        error instanceof UnreadableRowError && error.message.includes(column) && !error.message.includes(secret),
    );
  }
});
