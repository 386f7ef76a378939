import assert from "node:assert/strict";
import { test } from "node:test";
import { banner, type BannerView } from "./banner.ts";
import { happeningOf } from "./page/telling.ts";
import { Printer } from "./print.ts";
import { painter } from "./mailline.ts";

function printer(): { readonly printer: Printer; readonly lines: string[] } {
  const lines: string[] = [];
  const made = new Printer({
    write: (text) => lines.push(text),
    paint: painter(false),
    captureDirectory: "state/captured",
    now: () => 0,
  });
  return { printer: made, lines };
}

function tell(made: Printer, fields: Readonly<Record<string, unknown>>): void {
  const happening = happeningOf("pod", fields);
  if (happening === undefined) made.relayLine("pod", fields);
  else made.take(happening);
}

const delivered = {
  level: "info",
  msg: "delivered",
  time: "2026-11-23T12:00:01.000Z",
  spoolId: "0mwty",
  domain: "example.com",
  recipientDomain: "example.org",
  code: 250,
  enhanced: "2.6.0",
  reply: "2.6.0 captured as one.eml",
  nextHop: "127.0.0.1",
};

test("recipients that share an outcome are one line with the verdict and the file", () => {
  const { printer: made, lines } = printer();
  const message = {
    receivedAt: delivered.time,
    file: "one.eml",
    sizeBytes: 1,
    from: "",
    to: [],
    dkim: "pass",
    signatures: [{ domain: "example.com", selector: "s1", algorithm: "rsa-sha256", result: "pass" }],
  };
  made.take({ kind: "captured", message });
  tell(made, delivered);
  tell(made, delivered);
  made.flush();
  assert.deepEqual(lines, [
    "12:00:01 0mwty example.com -> delivered 250 2.6.0 capture (2 recipients) dkim=pass (s1:rsa) state/captured/one.eml\n",
  ]);
});

test("a failure tells the next hop's words, and what is no mail passes only from warn on", () => {
  const { printer: made, lines } = printer();
  tell(made, { ...delivered, msg: "failed", code: 550, enhanced: "5.1.1", reply: "no\r\nsuch user" });
  tell(made, { level: "info", msg: "listening", port: 1 });
  tell(made, { level: "warn", msg: "spool is nearly full", usedPercent: 86 });
  made.flush();
  assert.deepEqual(lines, [
    "pod: spool is nearly full usedPercent=86\n",
    "12:00:01 0mwty example.com -> failed 550 5.1.1 127.0.0.1 no such user\n",
  ]);
});

test("a problem is said once, and its end is said", () => {
  const { printer: made, lines } = printer();
  const problem = {
    file: "a.yaml",
    line: 3,
    object: "MailRelay mail/a",
    path: "spec.hostname",
    message: "is required",
  };
  made.problems([problem]);
  made.problems([problem]);
  made.problems([]);
  assert.deepEqual(lines, [
    "a.yaml:3: MailRelay mail/a: spec.hostname is required; what held before still holds\n",
    "every manifest is good again\n",
  ]);
});

test("painter() colours for a terminal only", () => {
  assert.equal(painter(false)("bad", "x"), "x");
  assert.equal(painter(true)("bad", "x"), "\u001b[31mx\u001b[0m");
});

test("banner() gives lines that a shell takes, whatever the password", () => {
  const view: BannerView = {
    manifests: "m",
    state: "s",
    rows: [],
    captureAddress: "127.0.0.1:1",
    page: "http://localhost:1/",
    trial: {
      host: "127.0.0.1",
      port: 2587,
      tlsMode: "StartTLS",
      login: { username: "app", password: "it's $5", source: "data key password of Secret mail/app in a.yaml" },
      from: "hello@example.com",
    },
    showsPassword: true,
  };
  const text = banner(view, painter(false));
  assert.match(text, /swaks --server 127\.0\.0\.1:2587 --tls .*--auth-password 'it'\\''s \$5'/);
  assert.match(text, /curl .*--ssl-reqd .*smtp:\/\/127\.0\.0\.1:2587 --user 'app:it'\\''s \$5'/);
  assert.match(text, /python3 -c '.*s\.starttls\(\)/);
  const trial = view.trial === undefined ? undefined : { ...view.trial, tlsMode: "Implicit" as const };
  assert.match(banner({ ...view, trial }, painter(false)), /--tls-on-connect[^]*smtps:\/\/[^]*SMTP_SSL/);
  const hidden = banner({ ...view, showsPassword: false }, painter(false));
  assert.doesNotMatch(hidden, /it's|\$5/);
  assert.match(hidden, /PASSWORD stands for data key password of Secret mail\/app in a\.yaml/);
  assert.match(hidden, /--auth-password "\$PASSWORD" [^]*--user app:"\$PASSWORD" [^]*os\.environ\["PASSWORD"\]/);
});

const hostile = "5.1.1 \u001b]0;owned\u0007\u001b[2J\u202eno\u009b31m\r\n\u2028user";

test("no word of a next hop, a relay or a manifest reaches the terminal with control characters", () => {
  for (const isTerminal of [false, true]) {
    const lines: string[] = [];
    const paint = painter(isTerminal);
    const made = new Printer({ write: (text) => lines.push(text), paint, captureDirectory: "c", now: () => 0 });
    const event = { ...delivered, code: 550, enhanced: hostile, reply: hostile, nextHop: hostile };
    for (const msg of ["failed", "deferred", "notified", "refused", "delivered"]) {
      tell(made, { ...event, msg, domain: hostile, recipientDomain: hostile, listener: hostile, notice: hostile });
    }
    tell(made, { level: "warn", msg: hostile, time: delivered.time, program: "relay", detail: hostile });
    made.flush();
    made.relayText("pod", hostile);
    made.warn(hostile);
    made.problems([{ file: hostile, line: 1, path: hostile, message: hostile }]);
    const ours = [32, 33, 31, 2, 1, 0].map((code) => `\u001b[${code}m`);
    for (const line of lines) {
      const text = ours.reduce((rest, code) => rest.replaceAll(code, ""), line.replace(/\n$/, ""));
      assert.doesNotMatch(text, /[\p{Cc}\p{Cf}\u2028\u2029]/u, JSON.stringify(line));
    }
    assert.ok(lines.length >= 8, `${lines.length} lines`);
  }
});
