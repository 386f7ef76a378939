import assert from "node:assert/strict";
import { test } from "node:test";
import { banner, type BannerView, type ListenerRow } from "./banner.ts";
import { painter } from "./paint.ts";

const openWay = { host: "127.0.0.1", port: 2025, from: "hello@example.com" };
const trial = {
  host: "127.0.0.1",
  port: 2587,
  tlsMode: "StartTLS",
  login: { username: "app", password: "it's $5", source: "data key password of Secret mail/app in a.yaml" },
  from: "hello@example.com",
} as const;
const view: BannerView = {
  manifests: "m",
  state: "s",
  rows: [],
  page: "http://localhost:1/",
  openWay: undefined,
  trial,
  showsPassword: true,
};

test("banner() gives lines that a shell takes, whatever the password", () => {
  const text = banner(view, painter(false));
  assert.match(text, /Send a message as app with password it's \$5:/);
  assert.match(text, /curl .*smtp:\/\/127\.0\.0\.1:2587 --ssl-reqd .*--user 'app:it'\\''s \$5'/);
  assert.match(banner({ ...view, trial: { ...trial, tlsMode: "Implicit" } }, painter(false)), /smtps:\/\/127/);
  const hidden = banner({ ...view, showsPassword: false }, painter(false));
  assert.doesNotMatch(hidden, /it's|\$5/);
  assert.match(hidden, /PASSWORD stands for data key password of Secret mail\/app in a\.yaml/);
  assert.match(hidden, /--user app:"\$PASSWORD" /);
});

test("banner() gives the line without a login first, and says when nobody may send", () => {
  const both = banner({ ...view, openWay }, painter(false));
  assert.match(
    both,
    /Send a message, no login from this machine:\n {2}printf 'From: hello@example\.com\\nTo: you@example\.org\\nSubject: Hello\\n\\nHello\.\\n' \| curl -sS --crlf smtp:\/\/127\.0\.0\.1:2025 --mail-from hello@example\.com --mail-rcpt you@example\.org -T -\nOr as app with password/,
  );
  const none = banner({ ...view, trial: undefined }, painter(false));
  assert.match(none, /Nobody may send here yet: add /);
  assert.match(banner({ ...view, openWay: { ...openWay, host: "::1" } }, painter(false)), /smtp:\/\/\[::1\]:2025/);
});

test("a banner has at most fifteen lines, however many listeners there are, and says how many it leaves out", () => {
  const row = (index: number): ListenerRow => ({
    pod: `mail/outbound-${index % 3}`,
    listener: `listener-${index}`,
    address: `127.0.0.1:${2000 + index}`,
    tls: "STARTTLS",
    login: "login required",
  });
  for (const count of [0, 1, 4, 5, 6, 40]) {
    const rows = Array.from({ length: count }, (_, index) => row(index));
    const text = banner({ ...view, rows, openWay }, painter(false));
    const lines = text.trimEnd().split("\n");
    assert.ok(lines.length <= 15, `${count} listeners: ${lines.length} lines`);
    const shown = lines.filter((line) => line.includes("STARTTLS")).length;
    assert.equal(shown, count > 5 ? 4 : count);
    if (count > 5) assert.ok(text.includes(`and ${count - 4} more listeners: s/ports.json`));
  }
});

test("listeners are called by their names alone where there is one pod", () => {
  const row = { pod: "mail/outbound-0", listener: "smtp", address: "127.0.0.1:2025", tls: "no TLS", login: "any" };
  assert.match(banner({ ...view, rows: [row] }, painter(false)), /^ {2}smtp {2}127\.0\.0\.1:2025 {2}no TLS {2}any$/m);
  const other = { ...row, pod: "mail/inner-0" };
  assert.match(banner({ ...view, rows: [row, other] }, painter(false)), /^ {2}mail\/inner-0 smtp +127/m);
});
