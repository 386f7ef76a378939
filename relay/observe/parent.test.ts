import assert from "node:assert/strict";
import { test } from "node:test";
import { parentMessage, type ParentMessage, toldCharacters, toldRecipients } from "../../api/parentmessage.ts";
import { parentOf } from "./parent.ts";

const accepted: ParentMessage = { kind: "accepted", spoolId: "0m", from: "a@example.com", to: ["b@example.org"] };

test("a pod has nobody to tell", () => {
  assert.equal(parentOf({ connected: false }), undefined);
});

test("what a parent is told is short, and what the schema says", () => {
  const heard: ParentMessage[] = [];
  const parent = parentOf({ connected: true, send: (message) => heard.push(message) > 0 });
  const long = "x".repeat(10_000);
  parent?.tell({ ...accepted, from: long, to: Array.from({ length: 1_000 }, () => long), subject: long });
  parent?.tell({ kind: "login failed", listener: "smtp", username: long });
  parent?.tell({ kind: "login failed", listener: "smtp" });
  assert.deepEqual(
    heard,
    heard.map((message) => parentMessage.parse(message)),
  );
  const [first] = heard;
  assert.ok(first?.kind === "accepted");
  assert.equal(first.to.length, toldRecipients);
  assert.ok([first.from, first.subject ?? "", ...first.to].every((text) => text.length === toldCharacters));
});

test("who does not read misses what comes meanwhile, and who is gone everything", () => {
  const heard: ParentMessage[] = [];
  const taken: ((error: Error | null) => void)[] = [];
  const channel = {
    connected: true,
    send: (message: ParentMessage, isTaken: (error: Error | null) => void) => {
      heard.push(message);
      taken.push(isTaken);
      return false;
    },
  };
  const parent = parentOf(channel);
  parent?.tell(accepted);
  parent?.tell({ ...accepted, spoolId: "0mmissed" });
  taken[0]?.(null);
  parent?.tell({ ...accepted, spoolId: "0mlater" });
  assert.deepEqual(
    heard.map((message) => message.kind === "accepted" && message.spoolId),
    ["0m", "0mlater"],
  );
  taken[1]?.(null);
  channel.connected = false;
  parent?.tell(accepted);
  assert.equal(heard.length, 2);
});
