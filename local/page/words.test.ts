import assert from "node:assert/strict";
import { test } from "node:test";
import type { Outline } from "./shapes.ts";
import { fits, readWish } from "./browser/filter.js";
import {
  clock,
  dayAndClock,
  folded,
  namesOf,
  peopleOf,
  recipientKinds,
  standingText,
  standingTone,
  wholeDate,
} from "./browser/words.js";

const now = new Date(2026, 10, 30, 14, 5, 9).getTime();

function outline(fields: Partial<Outline>): Outline {
  return {
    id: "one",
    at: new Date(now).toISOString(),
    subject: "Your receipt",
    from: "shop@example.com",
    to: ["anna@example.net"],
    recipients: 1,
    standing: "delivered",
    attempts: 1,
    attachments: 0,
    isNotice: false,
    unread: false,
    gone: false,
    ...fields,
  };
}

test("there is one clock, of 24 hours, and another year is named", () => {
  assert.equal(clock(now), "14:05:09");
  assert.equal(dayAndClock(now, now), "30 Nov 14:05:09");
  assert.equal(dayAndClock(new Date(2025, 11, 24, 0, 0, 1).getTime(), now), "24 Dec 2025 00:00:01");
  assert.equal(wholeDate(new Date(now).toISOString()), "Monday, 30 November 2026, 14:05:09");
});

const standings: readonly (readonly [fields: Partial<Outline>, text: string, tone: string])[] = [
  [{ standing: "delivered" }, "delivered", "good"],
  [{ standing: "delivered", isNotice: true }, "delivered", "plain"],
  [{ standing: "captured", isNotice: true }, "captured", "plain"],
  [{ standing: "bounced", isNotice: true }, "bounced", "bad"],
  [{ standing: "refused", reply: "550 5.7.1 no" }, "refused", "bad"],
  [{ standing: "refused", reply: "451 4.3.1 no room" }, "refused for now", "warning"],
  [{ standing: "retrying", dueAt: new Date(now + 4200).toISOString() }, "again in 5 s", "warning"],
  [{ standing: "retrying", dueAt: new Date(now + 300_000).toISOString() }, "again in 5 min", "warning"],
  [{ standing: "retrying", dueAt: new Date(now - 1).toISOString() }, "trying again", "warning"],
  [{ standing: "waiting" }, "waiting", "plain"],
];
for (const [fields, text, tone] of standings) {
  test(`${JSON.stringify(fields)} is "${text}", ${tone}`, () => {
    assert.equal(standingText(outline(fields), now), text);
    assert.equal(standingTone(outline(fields)), tone);
  });
}

test("a long list of recipients is told by its first ones", () => {
  assert.equal(namesOf(["a@x", "b@x"], 2), "a@x, b@x");
  assert.equal(namesOf(["a@x", "b@x", "c@x", "d@x"], 2), "a@x, b@x and 2 more");
  assert.equal(peopleOf(outline({ to: ["…@example.net"], recipients: 3 })), "shop@example.com → …@example.net (3)");
  assert.equal(peopleOf(outline({ from: "" })), "<> → anna@example.net");
});

test("a notice says what it is about", () => {
  const about = { subject: "Your parcel", to: ["refuse@example.net"], action: "failed" };
  assert.equal(peopleOf(outline({ isNotice: true, about })), "about “Your parcel” to refuse@example.net");
  assert.equal(peopleOf(outline({ isNotice: true, about: { to: [] } })), "about a message");
  assert.equal(peopleOf(outline({ isNotice: true })), "shop@example.com → anna@example.net");
});

test("who is named neither in To nor in Cc got a blind copy", () => {
  const headers = [
    { name: "To", value: '"Anna, of Example" <Anna@Example.net>, group: dora@example.net;' },
    { name: "CC", value: "Carl <carl@example.net>" },
    { name: "cc", value: "emil@example.net" },
  ];
  const envelope = ["anna@example.net", "carl@example.net", "boss@example.org", "DORA@example.net", "emil@example.net"];
  assert.deepEqual(recipientKinds(envelope, headers), {
    to: ["anna@example.net", "DORA@example.net"],
    cc: ["carl@example.net", "emil@example.net"],
    bcc: ["boss@example.org"],
  });
  assert.deepEqual(recipientKinds(["a@x"], []), { to: ["a@x"], cc: [], bcc: [] });
  assert.deepEqual(recipientKinds(["…@example.net"], headers), { to: ["…@example.net"], cc: [], bcc: [] });
});

test("of a long row the first and the last are seen", () => {
  assert.deepEqual(folded([1, 2], 2), { before: [1, 2], between: [], after: [] });
  assert.deepEqual(folded([1, 2, 3, 4], 2), { before: [1], between: [2, 3], after: [4] });
});

const none = new Set<string>();
const wishes: readonly (readonly [
  text: string,
  found: ReadonlySet<string>,
  fields: Partial<Outline>,
  fits: boolean,
])[] = [
  ["", none, {}, true],
  ["RECEIPT anna", none, {}, true],
  ["receipt berta", none, {}, false],
  ["words of the body", new Set(["one"]), {}, true],
  ["words of the body", new Set(["other"]), {}, false],
  ["is:unread", none, {}, false],
  ["is:unread receipt", none, { unread: true }, true],
  ["is:unread body", new Set(["one"]), {}, false],
  ["is:bounced", none, { standing: "partly bounced" }, true],
  ["is:bounced", none, {}, false],
  ["is:notice", none, { isNotice: true }, true],
  ["has:file", none, { attachments: 1 }, true],
  ["has:file", none, {}, false],
  ["has:nothing", none, {}, false],
];
for (const [text, found, fields, isThere] of wishes) {
  test(`"${text}" ${isThere ? "leaves" : "hides"} ${JSON.stringify(fields)}, found ${[...found].join(" ") || "nowhere"}`, () =>
    assert.equal(fits(outline(fields), readWish(text), found), isThere));
}
