import assert from "node:assert/strict";
import { test } from "node:test";
import type { CapturedMessage } from "../capture/record.ts";
import type { StatusChange } from "../kube.ts";
import { happeningOf } from "../page/telling.ts";
import { Printer } from "../print.ts";
import { standMs } from "./held.ts";
import { painter } from "./paint.ts";
import { widthOf } from "./width.ts";
import { relayOf } from "../../test/support/operatorobjects.ts";
import { ManualTimers } from "../../test/support/timers.ts";

interface Scene {
  readonly printer: Printer;
  readonly lines: string[];
  readonly timers: ManualTimers;
}

interface Wishes {
  readonly columns?: number;
  readonly quiet?: boolean;
  readonly hasColours?: boolean;
  /** The first page was shown. */
  readonly hasPage?: boolean;
}

function open({ columns, quiet = false, hasColours = false, hasPage = true }: Wishes = {}): Scene {
  const lines: string[] = [];
  const timers = new ManualTimers();
  const terminal = {
    write: (text: string) => void lines.push(text),
    paint: painter(hasColours),
    columns: () => columns,
    clock: (at: string) => at.slice(11, 19),
  };
  const printer = new Printer({ terminal, quiet, captureDirectory: "state/captured", now: () => 0, timers });
  if (hasPage) printer.begin();
  return { printer, lines, timers };
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
const failed = { ...delivered, msg: "failed", code: 550, enhanced: "5.1.1", reply: "5.1.1 no\r\nsuch user" };
const captured: CapturedMessage = {
  receivedAt: delivered.time,
  file: "one.eml",
  sizeBytes: 1,
  from: "app@example.com",
  to: ["a@example.org", "b@example.org"],
  dkim: "pass",
  signatures: [{ domain: "example.com", selector: "s1", algorithm: "rsa-sha256", result: "pass" }],
  summary: { subject: "Your receipt", receivedIds: ["0mwty"], isNotice: false },
};
const accepted = { kind: "accepted" as const, spoolId: "0mwty", from: "app@example.com", to: ["a@example.org"] };

test("recipients that share an outcome are told once, by name, with subject, verdict and file", () => {
  const { printer, lines } = open();
  printer.take({ kind: "captured", message: captured });
  tell(printer, delivered);
  tell(printer, delivered);
  printer.flush();
  assert.deepEqual(lines, [
    '12:00:01 delivered a@example.org and 1 more "Your receipt" 250 2.6.0 dkim=pass\n',
    "         0mwty from app@example.com state/captured/one.eml (s1:rsa)\n",
  ]);
});

test("a failure has the recipient and subject that the relay told, and the next hop's words", () => {
  const { printer, lines } = open();
  printer.told(accepted, "Quarterly figures");
  tell(printer, failed);
  tell(printer, { level: "info", msg: "listening", port: 1 });
  tell(printer, { level: "warn", msg: "spool is nearly full", usedPercent: 86 });
  printer.flush();
  assert.deepEqual(lines, [
    "pod: spool is nearly full usedPercent=86\n",
    '12:00:01 failed a@example.org "Quarterly figures" 550 5.1.1\n',
    "         0mwty from app@example.com by 127.0.0.1: no such user\n",
  ]);
});

test("of recipients that cannot be told apart there is a number, and of a message nobody told of the domain", () => {
  const { printer, lines } = open();
  printer.told({ ...accepted, to: ["a@example.org", "b@example.org", "c@example.net"] }, "");
  tell(printer, failed);
  tell(printer, { ...failed, spoolId: "0mother" });
  tell(printer, { ...failed, spoolId: "0mmany", recipients: 3 });
  printer.flush();
  assert.deepEqual(
    lines.filter((_, index) => index % 2 === 0),
    [
      "12:00:01 failed …@example.org (no subject) 550 5.1.1\n",
      "12:00:01 failed …@example.org 550 5.1.1\n",
      "12:00:01 failed 3 at example.org 550 5.1.1\n",
    ],
  );
});

test("a deferral says when it is tried again; a bounce and its notice say who is told", () => {
  const { printer, lines } = open();
  printer.told(accepted, "Hello");
  const dueAt = "2026-11-23T12:00:05.200Z";
  tell(printer, { ...failed, msg: "deferred", code: 451, enhanced: "4.3.0", reply: "later", dueAt });
  tell(printer, { ...failed, msg: "bounced", notice: "failed", noticeId: "0mnotice" });
  tell(printer, { ...delivered, spoolId: "0mnotice", reply: "queued", recipientDomain: "example.com" });
  printer.flush();
  assert.deepEqual(lines, [
    '12:00:01 deferred a@example.org "Hello" 451 4.3.0 again in 4 s\n',
    "         0mwty from app@example.com by 127.0.0.1: later\n",
    '12:00:01 bounced to app@example.com "Hello" 550 5.1.1\n',
    "         0mwty notice 0mnotice\n",
    "12:00:01 delivered app@example.com 250 2.6.0\n",
    "         0mnotice by 127.0.0.1\n",
  ]);
});

test("lines fit the terminal; what is cut is names and words, and never the way to a file", () => {
  for (const columns of [40, 60, 80, 120]) {
    const { printer, lines } = open({ columns });
    const subject = "日本語 👩‍👩‍👧 ".repeat(30);
    printer.told({ ...accepted, to: [`${"long".repeat(40)}@example.org`] }, subject);
    tell(printer, { ...failed, reply: "words ".repeat(100) });
    printer.flush();
    assert.equal(lines.length, 2);
    for (const line of lines) assert.ok(widthOf(line.trimEnd()) <= columns, `${columns}: ${line}`);
    assert.match(lines[0] ?? "", /^12:00:01 failed longlo.*…/);
    printer.take({ kind: "captured", message: captured });
    tell(printer, delivered);
    printer.flush();
    assert.match(lines.at(-1) ?? "", /state\/captured\/one\.eml/);
  }
});

test("who asked for quiet hears of problems alone", () => {
  const { printer, lines, timers } = open({ quiet: true });
  printer.say("ready");
  printer.told(accepted, "Hello");
  tell(printer, delivered);
  tell(printer, { ...failed, msg: "deferred" });
  tell(printer, { ...failed, msg: "bounced" });
  tell(printer, failed);
  tell(printer, { ...failed, msg: "refused", spoolId: undefined, listener: "smtp", code: 530, enhanced: "5.7.0" });
  printer.warn("port 1 is taken");
  printer.flush();
  timers.pass(60_000);
  assert.deepEqual(lines, [
    "port 1 is taken\n",
    '12:00:01 failed a@example.org "Hello" 550 5.1.1\n',
    "         0mwty from app@example.com by 127.0.0.1: no such user\n",
    "12:00:01 refused on smtp from example.com 530 5.7.0 5.1.1 no such user\n",
  ]);
});

test("the relay's line of a failed login is left to the one that names the user", () => {
  const { printer, lines } = open();
  const refused = { level: "info", msg: "refused", time: delivered.time, listener: "submission", reply: "no" };
  tell(printer, { ...refused, code: 535, enhanced: "5.7.8" });
  tell(printer, { ...refused, code: 421, enhanced: "4.7.0" });
  printer.flush();
  assert.deepEqual(lines, ["12:00:01 refused on submission 421 4.7.0 no\n"]);
});

test("a problem is said once, and its end is said", () => {
  const { printer, lines } = open();
  const problem = {
    file: "a.yaml",
    line: 3,
    object: "MailRelay mail/a",
    path: "spec.hostname",
    message: "is required",
  };
  printer.problems([problem]);
  printer.problems([problem]);
  printer.problems([]);
  assert.deepEqual(lines, [
    "a.yaml:3: MailRelay mail/a: spec.hostname is required; what held before still holds\n",
    "every manifest is good again\n",
  ]);
});

type Conditions = NonNullable<NonNullable<StatusChange["object"]["status"]>["conditions"]>;

function changes(printer: Printer): (status: "True" | "False", reason: string, message?: string) => void {
  const relay = relayOf();
  let before: Conditions = [];
  return (status, reason, message = "words") => {
    const lastTransitionTime = "2026-11-23T12:00:00Z";
    const conditions: Conditions = [{ type: "ResolvedRefs", status, reason, message, lastTransitionTime }];
    const object = { ...relay, status: { conditions } };
    printer.status({ object, before: { ...relay, status: { conditions: before } } });
    before = conditions;
  };
}

test("what is cured before it has stood for a while is not said, and neither is its end", () => {
  const { printer, lines, timers } = open();
  const change = changes(printer);
  change("False", "SecretNotFound");
  timers.pass(standMs - 1);
  change("True", "ResolvedRefs");
  timers.pass(60_000);
  assert.deepEqual(lines, []);
});

test("what stands is said once, in its newest words, and then its end is said", () => {
  const { printer, lines, timers } = open();
  const change = changes(printer);
  change("False", "SecretNotFound", "first");
  timers.pass(standMs - 1);
  change("False", "SecretNotFound", "second");
  assert.deepEqual(lines, []);
  timers.pass(1);
  assert.deepEqual(lines, ["MailRelay mail/outbound: ResolvedRefs=False SecretNotFound: second\n"]);
  change("True", "ResolvedRefs");
  timers.pass(60_000);
  assert.deepEqual(lines.slice(1), ["MailRelay mail/outbound: ResolvedRefs=True ResolvedRefs: words\n"]);
});

test("of a start the first page comes before good news, and what is wrong waits for nothing", () => {
  const { printer, lines, timers } = open({ hasPage: false });
  const relay = relayOf();
  const lastTransitionTime = "2026-11-23T12:00:00Z";
  const ready = { type: "Ready", status: "True", reason: "Ready", message: "words", lastTransitionTime } as const;
  printer.status({ object: { ...relay, status: { conditions: [ready] } }, before: relay });
  changes(printer)("False", "SecretNotFound");
  timers.pass(standMs);
  assert.deepEqual(lines, ["MailRelay mail/outbound: ResolvedRefs=False SecretNotFound: words\n"]);
  printer.begin();
  assert.deepEqual(lines.slice(1), ["MailRelay mail/outbound: Ready=True Ready: words\n"]);
});

test("what the stop itself makes wrong is not said", () => {
  const { printer, lines, timers } = open();
  const change = changes(printer);
  change("False", "SecretNotFound");
  printer.stopping();
  change("True", "ResolvedRefs");
  change("False", "SecretNotFound");
  timers.pass(60_000);
  assert.deepEqual(lines, ["stopping\n"]);
});

const hostile = "5.1.1 \u001b]0;owned\u0007\u001b[2J\u202eno\u009b31m\r\n\u2028user";

test("no word of a next hop, a relay, a message or a manifest reaches the terminal with control characters", () => {
  for (const hasColours of [false, true]) {
    for (const columns of [undefined, 40, 400]) {
      const { printer, lines } = open({ hasColours, ...(columns === undefined ? {} : { columns }) });
      const event = { ...delivered, code: 550, enhanced: hostile, reply: hostile, nextHop: hostile };
      for (const [index, msg] of ["failed", "deferred", "notified", "refused", "delivered"].entries()) {
        const spoolId = `0m${index}`;
        printer.told({ ...accepted, spoolId, from: hostile, to: [hostile] }, hostile);
        tell(printer, {
          ...event,
          msg,
          spoolId,
          domain: hostile,
          recipientDomain: hostile,
          listener: hostile,
          notice: hostile,
        });
      }
      tell(printer, { level: "warn", msg: hostile, time: delivered.time, program: "relay", detail: hostile });
      printer.flush();
      printer.relayText("pod", hostile);
      printer.warn(hostile);
      printer.problems([{ file: hostile, line: 1, path: hostile, message: hostile }]);
      const ours = [32, 33, 31, 2, 1, 0].map((code) => `\u001b[${code}m`);
      for (const line of lines) {
        const text = ours.reduce((rest, code) => rest.replaceAll(code, ""), line.replace(/\n$/, ""));
        assert.doesNotMatch(text, /[\p{Cc}\p{Cf}\u2028\u2029]/u, JSON.stringify(line));
      }
      assert.ok(lines.length >= 8, `${lines.length} lines`);
    }
  }
});

for (const [code, colour] of [
  [451, 33],
  [550, 31],
] as const) {
  test(`a refusal with ${code} has the colour of what ${code < 500 ? "comes again" : "has failed"}`, () => {
    const { printer, lines } = open({ hasColours: true });
    tell(printer, { ...delivered, spoolId: undefined, msg: "refused", code, listener: "smtp" });
    printer.flush();
    assert.ok(lines.join("").includes(`\u001b[${colour}mrefused\u001b[0m`), JSON.stringify(lines));
  });
}
