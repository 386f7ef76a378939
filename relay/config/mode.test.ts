import assert from "node:assert/strict";
import { test } from "node:test";
import { capturedReply, mayLeave, staying, type DeliveryMode } from "./mode.ts";

const list: DeliveryMode = {
  mode: "AllowList",
  allowRecipients: [
    "qa@example.com",
    "Lead.Tester@example.com",
    "kate@example.com",
    "*@test.example.com",
    "*@xn--bcher-kva.example",
  ],
};

const rows: readonly (readonly [address: string, listed: boolean])[] = [
  ["qa@example.com", true],
  ["QA@Example.COM", true],
  ["lead.tester@example.com", true],
  ["anybody@test.example.com", true],
  ['"two words"@test.example.com', true],
  ["anybody@TEST.example.com", true],
  ["jemand@bücher.example", true],
  ["Kate@example.com", true],
  ["\u212aate@example.com", false],
  ["customer@example.com", false],
  ["customer%customer.example@example.com", false],
  ["customer=customer.example@example.com", false],
  ['"qa"@example.com', false],
  ["qa@[192.0.2.1]", false],
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
    const addressee = { address };
    assert.equal(mayLeave({ ...list, mode: "Send" }, addressee), true, address);
    assert.equal(mayLeave({ ...list, mode: "Capture" }, addressee), false, address);
    assert.equal(mayLeave(list, addressee), listed, address);
    assert.equal(mayLeave({ mode: "AllowList", allowRecipients: [] }, addressee), false, address);
    assert.deepEqual(staying(list, address), listed ? {} : { stays: true }, address);
  }
});

test("whoever was to stay when the mail was taken stays in every mode", () => {
  for (const mode of ["Send", "Capture", "AllowList"] as const)
    assert.equal(mayLeave({ ...list, mode }, { address: "qa@example.com", stays: true }), false, mode);
});

test("capturedReply() says which mode kept the mail", () => {
  const words = (mode: DeliveryMode["mode"]): string => capturedReply({ mode, allowRecipients: [] }).text;
  assert.equal(words("Send"), "captured, not sent: delivery.mode kept it from leaving when it was taken");
  assert.equal(words("Capture"), "captured, not sent: delivery.mode Capture, nothing leaves this relay");
  assert.equal(
    words("AllowList"),
    "captured, not sent: delivery.mode AllowList, allowRecipients does not name the recipient",
  );
});
