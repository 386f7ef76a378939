import assert from "node:assert/strict";
import { test } from "node:test";
import { capturedReply, mayLeave, type DeliveryMode } from "./mode.ts";

const list: DeliveryMode = {
  mode: "AllowList",
  allowRecipients: ["qa@example.com", "Lead.Tester@example.com", "*@test.example.com", "*@xn--bcher-kva.example"],
};

const rows: readonly (readonly [address: string, listed: boolean])[] = [
  ["qa@example.com", true],
  ["QA@Example.COM", true],
  ["lead.tester@example.com", true],
  ["anybody@test.example.com", true],
  ['"two words"@test.example.com', true],
  ["anybody@TEST.example.com", true],
  ["jemand@bücher.example", true],
  ["customer@example.com", false],
  ["qa+1@example.com", false],
  ["xqa@example.com", false],
  ["qa@example.com.evil.example", false],
  ["qa@evil-example.com", false],
  ['"qa@example.com"@evil.example', false],
  ['"x"@test.example.com"@evil.example', false],
  ["anybody@sub.test.example.com", false],
  ["anybody@xtest.example.com", false],
  ["*@example.com", false],
  ["@test.example.com", false],
  ["postmaster", false],
  ["", false],
];

test("mayLeave() lets everything out in mode Send, nothing in mode Capture, and by name alone in mode AllowList", () => {
  for (const [address, listed] of rows) {
    assert.equal(mayLeave({ ...list, mode: "Send" }, address), true, address);
    assert.equal(mayLeave({ ...list, mode: "Capture" }, address), false, address);
    assert.equal(mayLeave(list, address), listed, address);
    assert.equal(mayLeave({ mode: "AllowList", allowRecipients: [] }, address), false, address);
  }
});

test("capturedReply() says which mode kept the mail", () => {
  const words = (mode: DeliveryMode["mode"]): string => capturedReply({ mode, allowRecipients: [] }).text;
  assert.equal(words("Capture"), "captured, not sent: delivery.mode Capture, nothing leaves this relay");
  assert.equal(
    words("AllowList"),
    "captured, not sent: delivery.mode AllowList, allowRecipients does not name the recipient",
  );
});
