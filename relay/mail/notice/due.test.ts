import assert from "node:assert/strict";
import { test } from "node:test";
import type { NotifyKeyword } from "../envelope.ts";
import { dueNotice, type NoticeQuestion } from "./due.ts";

const question: Omit<NoticeQuestion, "ending"> = {
  sender: "app@example.com",
  acceptedAt: 1_000,
  now: 5_000,
  notifyDelayAfterMs: 4_000,
  delayNotified: false,
};

/** What is due for: failed, deferred, relayed, passed on. `-` is nothing. */
const rows: readonly { readonly notify: readonly NotifyKeyword[] | undefined; readonly due: string }[] = [
  { notify: undefined, due: "failed delayed - -" },
  { notify: ["NEVER"], due: "- - - -" },
  { notify: ["SUCCESS"], due: "- - relayed -" },
  { notify: ["FAILURE"], due: "failed - - -" },
  { notify: ["DELAY"], due: "- delayed - -" },
  { notify: ["SUCCESS", "FAILURE"], due: "failed - relayed -" },
  { notify: ["SUCCESS", "FAILURE", "DELAY"], due: "failed delayed relayed -" },
];
const endings = ["failed", "deferred", "relayed", "passed on"] as const;

for (const { notify, due } of rows) {
  const asked = notify === undefined ? {} : { notify };
  test(`dueNotice() is ${due} for NOTIFY=${notify?.join(",") ?? "(absent)"}`, () => {
    const found = endings.map((ending) => dueNotice({ ...question, ...asked, ending }) ?? "-");
    assert.equal(found.join(" "), due);
  });
  test(`dueNotice() is nothing for nobody with NOTIFY=${notify?.join(",") ?? "(absent)"}`, () => {
    const found = endings.map((ending) => dueNotice({ ...question, ...asked, ending, sender: "" }));
    assert.deepEqual(new Set(found), new Set([undefined]));
  });
}

test("dueNotice() tells of a delay once, and not before it is one", () => {
  assert.equal(dueNotice({ ...question, ending: "deferred", now: 4_999 }), undefined);
  assert.equal(dueNotice({ ...question, ending: "deferred" }), "delayed");
  assert.equal(dueNotice({ ...question, ending: "deferred", delayNotified: true }), undefined);
});
