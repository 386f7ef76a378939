/**
 * What a sender is told of its mail: each row is a message to recipients whose next hop behaves as their name says, and the
 * notices that must come of it, as Python's email package and flufl.bounce read them. Three next hops: one with DSN, one
 * without, one with neither DSN nor 8BITMIME nor SMTPUTF8.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { NextHop, type ReceivedMail, type Script } from "../support/nexthop.ts";
import { readNotices, valuesOf, type NoticeFields, type ReadNotice } from "../support/notice.ts";
import { verifyWithOpendkim } from "../support/opendkim.ts";
import { verifyWithDkimpy } from "../support/python.ts";
import { openSession } from "../support/send.ts";
import { openStage } from "../support/stage.ts";
import { until } from "../support/until.ts";

/** Attempts about every second, from the second on a message is late; the last is at 4.5 s. A delay is told once, not at each. */
const retry = { firstMs: 1_000, maxMs: 1_000, expireAfterMs: 4_500, notifyDelayAfterMs: 600 };

const injected = "\rBcc: victim@example.org\0\u0007\u001b[31m gr\u00fc\u00dfe \u202e";
const hostileLines = ["no\n", "", "--=_0", "Status: 2.0.0", `${injected} ${"x".repeat(3_000)}`];
const hostile = hostileLines.map((line, at) => `550${at === 4 ? " " : "-"}5.7.1 ${line.trimEnd()}`).join("\r\n");

/** By local part. */
const behaviours: Readonly<Record<string, (attempt: number) => string | undefined>> = {
  gone: () => "550 5.1.1 no such user here",
  "gone-\u00fc": () => "550 5.1.1 no such user here",
  full: () => "550 5.2.2 over quota",
  spam: () => "554 5.7.1 message looks like spam",
  bare: () => "550 no code for you",
  hostile: () => hostile,
  busy: () => "451 4.2.0 mailbox busy",
  cut: () => "drop",
  slow: (attempt) => (attempt < 3 ? "451 4.2.0 mailbox busy" : undefined),
  turns: (attempt) => (attempt === 1 ? "451 4.2.0 mailbox busy" : "550 5.1.1 no such user here"),
  unreachable: () => "550 5.1.1 no such user here",
};

function script(extensions: readonly string[]): Script {
  return {
    extensions,
    recipient: (address, attempt) => behaviours[address.slice(0, address.indexOf("@"))]?.(attempt),
  };
}

interface Told {
  readonly final: string;
  readonly original?: string;
  readonly status: string;
  readonly diagnostic: string | RegExp;
  /** The next hop said so. */
  readonly remote?: false;
}

interface Notice {
  readonly action: "failed" | "delayed" | "relayed";
  readonly recipients: readonly Told[];
  /** `message` when the whole comes back. */
  readonly returned?: "message/rfc822" | "message/global" | "text/rfc822-headers" | "message/global-headers";
  readonly global?: true;
  /** Words that the human part must have, white space aside. */
  readonly says: readonly (string | RegExp)[];
  readonly notInText?: RegExp;
  readonly returns?: RegExp;
}

interface Row {
  readonly name: string;
  /** Of the envelope sender; unique, because notices are told apart by it. "" is nobody. */
  readonly from: string;
  readonly mail?: string;
  readonly rcpt: readonly string[];
  readonly message?: { readonly subject?: string; readonly body?: Buffer };
  readonly envid?: string;
  /** Where the notices go, when not to the sender. */
  readonly to?: string;
  readonly notices: readonly Notice[];
  /** MAIL and RCPT of the message as the next hop got it. */
  readonly passedOn?: readonly string[];
}

const gone = (final = "rfc822; gone@example.net"): Told => ({
  final,
  status: "5.1.1",
  diagnostic: "smtp; 550 5.1.1 no such user here",
});
const busy: Told = { final: "rfc822; busy@example.net", status: "4.2.0", diagnostic: "smtp; 451 4.2.0 mailbox busy" };
const busyExpired: Told = { ...busy, status: "4.4.7" };
const saysNever = "It will not be tried again.";
const goneSays = [
  saysNever,
  "There is no mailbox with this address.",
  "The mail server 127.0.0.1 said: 550 5.1.1 no such user here",
];
const expiredSays = [saysNever, "the time allowed for it is over", "said the last time: 451 4.2.0 mailbox busy"];
const busySays = [
  "You need not send it again.",
  /keeps trying until \w{3}, \d\d \w{3} \d{4}/,
  "you get another notice",
];

const rows: readonly Row[] = [
  {
    name: "one of three is refused",
    from: "one-of-three@example.com",
    rcpt: ["<ok@example.net>", "<gone@example.net>", "<fine@example.net>"],
    notices: [{ action: "failed", recipients: [gone()], says: goneSays }],
    passedOn: ["MAIL FROM:<one-of-three@example.com> SIZE=", "RCPT TO:<ok@example.net>", "RCPT TO:<fine@example.net>"],
  },
  {
    name: "all are refused, in one notice",
    from: "all-refused@example.com",
    rcpt: ["<gone@example.net>", "<full@example.net>", "<spam@example.net>", "<bare@example.net>"],
    notices: [
      {
        action: "failed",
        recipients: [
          gone(),
          { final: "rfc822; full@example.net", status: "5.2.2", diagnostic: "smtp; 550 5.2.2 over quota" },
          { final: "rfc822; spam@example.net", status: "5.7.1", diagnostic: "smtp; 554 5.7.1 message looks like spam" },
          { final: "rfc822; bare@example.net", status: "5.0.0", diagnostic: "smtp; 550 no code for you" },
        ],
        says: [
          "4 recipients below",
          "The mailbox is full.",
          "its policy forbids it",
          "The other side refused the message.",
        ],
      },
    ],
  },
  {
    name: "late, then delivered",
    from: "late@example.com",
    rcpt: ["<slow@example.net>"],
    notices: [{ action: "delayed", recipients: [{ ...busy, final: "rfc822; slow@example.net" }], says: busySays }],
  },
  {
    name: "late, then time is up: the last answer is the reason",
    from: "expired@example.com",
    rcpt: ["<busy@example.net>"],
    notices: [
      { action: "delayed", recipients: [busy], says: busySays },
      { action: "failed", recipients: [busyExpired], says: expiredSays },
    ],
  },
  {
    name: "nobody ever answers",
    from: "silence@example.com",
    rcpt: ["<cut@example.net> NOTIFY=FAILURE"],
    notices: [
      {
        action: "failed",
        recipients: [
          {
            final: "rfc822; cut@example.net",
            status: "4.4.7",
            diagnostic: /^X-Mailboat; connection lost after RCPT/,
            remote: false,
          },
        ],
        says: [
          "The connection to the next mail server broke.",
          "What the relay found the last time on the way to example.net:",
        ],
      },
    ],
  },
  {
    name: "two kinds at once: one is late, one is refused",
    from: "at-once@example.com",
    rcpt: ["<busy@example.net>", "<turns@example.net>"],
    notices: [
      { action: "delayed", recipients: [busy], says: busySays },
      { action: "failed", recipients: [gone("rfc822; turns@example.net")], says: goneSays },
      { action: "failed", recipients: [busyExpired], says: expiredSays },
    ],
  },
  {
    name: "success was asked for, and the next hop has DSN: it has the duty now",
    from: "asked-dsn@example.com",
    mail: "RET=HDRS ENVID=QQ+2B314",
    rcpt: [
      "<ok@example.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Ok+2Bx@example.org",
      "<fine@example.net> NOTIFY=NEVER",
    ],
    notices: [],
    passedOn: [
      "MAIL FROM:<asked-dsn@example.com> SIZE= RET=HDRS ENVID=QQ+2B314",
      "RCPT TO:<ok@example.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Ok+2Bx@example.org",
      "RCPT TO:<fine@example.net> NOTIFY=NEVER",
    ],
  },
  {
    name: "success was asked for, and the next hop has no DSN: it was relayed",
    from: "asked-plain@plain.example",
    mail: "RET=FULL ENVID=QQ+2B315",
    rcpt: ["<ok@example.net> NOTIFY=SUCCESS ORCPT=rfc822;Ok+2Bx@example.org", "<fine@example.net>"],
    envid: "QQ+315",
    notices: [
      {
        action: "relayed",
        recipients: [
          {
            final: "rfc822; ok@example.net",
            original: "rfc822; Ok+x@example.org",
            status: "2.0.0",
            diagnostic: "smtp; 250 2.0.0 queued",
          },
        ],
        says: [
          "was passed on to the next mail server",
          "does not report on deliveries",
          "The mail server 127.0.0.1 said: 250 2.0.0 queued",
        ],
        notInText: /not delivered|could not/,
      },
    ],
    passedOn: ["MAIL FROM:<asked-plain@plain.example> SIZE=", "RCPT TO:<ok@example.net>", "RCPT TO:<fine@example.net>"],
  },
  {
    name: "NOTIFY=NEVER, whatever happens",
    from: "never@plain.example",
    rcpt: ["<gone@example.net> NOTIFY=NEVER", "<busy@example.net> NOTIFY=NEVER", "<ok@example.net> NOTIFY=NEVER"],
    notices: [],
  },
  {
    name: "NOTIFY=DELAY: the failure stays untold, and the notice of the delay says so",
    from: "only-delay@example.com",
    rcpt: ["<busy@example.net> NOTIFY=DELAY"],
    notices: [{ action: "delayed", recipients: [busy], says: ["You asked for no notice if it does not succeed"] }],
  },
  {
    name: "NOTIFY=SUCCESS: neither delay nor failure are told",
    from: "only-success@example.com",
    rcpt: ["<busy@example.net> NOTIFY=SUCCESS", "<gone@example.net> NOTIFY=SUCCESS"],
    notices: [],
  },
  {
    name: "RET=FULL brings the message back, ENVID and ORCPT decoded",
    from: "whole@example.com",
    mail: "RET=FULL ENVID=order+2B42+3Dx",
    rcpt: ["<gone@example.net> ORCPT=rfc822;Gone+2Btag@example.org"],
    envid: "order+42=x",
    notices: [
      {
        action: "failed",
        recipients: [{ ...gone(), original: "rfc822; Gone+tag@example.org" }],
        returned: "message/rfc822",
        returns: /Subject: whole@example\.com\r?\n(?:.*\r?\n)*\r?\nhello/,
        says: ["then your message."],
      },
    ],
  },
  {
    name: "RET=HDRS brings the header back",
    from: "hdrs@example.com",
    mail: "RET=HDRS",
    rcpt: ["<gone@example.net>"],
    notices: [{ action: "failed", recipients: [gone()], says: ["then the header of your message."] }],
  },
  {
    name: "RET=FULL of a huge message brings the header back and says why",
    from: "huge@example.com",
    mail: "RET=FULL",
    rcpt: ["<gone@example.net>"],
    message: { body: Buffer.from("0123456789abcdef\r\n".repeat(120_000)) },
    notices: [{ action: "failed", recipients: [gone()], says: ["too large to be returned"] }],
  },
  {
    name: "an 8-bit message comes back as it was",
    from: "eight-bit@example.com",
    mail: "BODY=8BITMIME RET=FULL",
    rcpt: ["<gone@example.net>"],
    message: { body: Buffer.from("gr\u00fc\u00dfe\r\n") },
    notices: [
      {
        action: "failed",
        recipients: [gone()],
        returned: "message/rfc822",
        returns: /gr\xc3\xbc\xc3\x9fe/,
        says: goneSays,
      },
    ],
  },
  {
    name: "an 8-bit message that the next hop cannot carry is told of in 7 bits",
    from: "eight-bit@old.example",
    mail: "BODY=8BITMIME RET=FULL",
    rcpt: ["<ok@example.net>"],
    message: { body: Buffer.from("gr\u00fc\u00dfe\r\n") },
    notices: [
      {
        action: "failed",
        recipients: [
          {
            final: "rfc822; ok@example.net",
            status: "5.6.3",
            diagnostic: /^X-Mailboat; the next hop does not offer 8BITMIME/,
            remote: false,
          },
        ],
        says: ["cannot carry the characters of this message", "not in a form that can be returned"],
      },
    ],
  },
  {
    name: "an SMTPUTF8 sender gets its notice in UTF-8",
    from: "j\u00f6rg@example.com",
    mail: "BODY=8BITMIME SMTPUTF8",
    rcpt: ["<gone-\u00fc@example.net> ORCPT=utf-8;gone-\u00fc@example.org"],
    message: { subject: "Gr\u00fc\u00dfe" },
    notices: [
      {
        action: "failed",
        global: true,
        recipients: [{ ...gone("utf-8; gone-\u00fc@example.net"), original: "utf-8; gone-\u00fc@example.org" }],
        returned: "message/global-headers",
        returns: /Subject: Gr\xc3\xbc\xc3\x9fe/,
        says: ["<gone-\u00fc@example.net>"],
      },
    ],
  },
  {
    name: "a UTF-8 recipient and an ASCII sender whose next hop has no SMTPUTF8: the notice is ASCII and arrives",
    from: "plain@old.example",
    mail: "SMTPUTF8",
    rcpt: ["<gone-\u00fc@example.net> ORCPT=utf-8;gone-\u00fc@example.org", "<ok@example.net>"],
    notices: [
      {
        action: "failed",
        recipients: [
          {
            final: "utf-8; gone-\\x{FC}@example.net",
            original: "utf-8; gone-\\x{FC}@example.org",
            status: "5.6.7",
            diagnostic: /^X-Mailboat; the next hop does not offer SMTPUTF8/,
            remote: false,
          },
        ],
        says: ["<gone-\u00fc@example.net>", "cannot carry addresses with characters outside ASCII"],
      },
    ],
  },
  {
    name: "an ORCPT in UTF-8 goes on encoded when the transaction has no SMTPUTF8",
    from: "orcpt@example.com",
    mail: "SMTPUTF8",
    rcpt: ["<ok@example.net> ORCPT=utf-8;gr\u00fcn@example.org"],
    notices: [],
    passedOn: ["MAIL FROM:<orcpt@example.com> SIZE=", "RCPT TO:<ok@example.net> ORCPT=utf-8;gr\\x{FC}n@example.org"],
  },
  {
    name: "a hostile next hop injects nothing",
    from: "injected@example.com",
    rcpt: ["<hostile@example.net>"],
    notices: [
      {
        action: "failed",
        recipients: [
          { final: "rfc822; hostile@example.net", status: "5.7.1", diagnostic: /^smtp; 550 5\.7\.1 no .* \[\.\.\.\]$/ },
        ],
        says: ["its policy forbids it"],
        // oxlint-disable-next-line no-control-regex -- that there are none is the point
        notInText: /[\0\u0007\u001b\u202e]|^Status: 2|^--=_0/m,
      },
    ],
  },
  {
    name: "the domain wants its notices elsewhere",
    from: "app@redirect.example",
    to: "desk@example.com",
    rcpt: ["<gone@example.net>"],
    notices: [{ action: "failed", recipients: [gone()], says: goneSays }],
  },
  { name: "a null sender is told nothing", from: "", rcpt: ["<gone@example.net>", "<busy@example.net>"], notices: [] },
  {
    name: "a notice that cannot be delivered ends there",
    from: "unreachable@example.com",
    rcpt: ["<gone@example.net>"],
    notices: [],
  },
];

test("each sender is told what became of its mail, and nothing else", { timeout: 120_000 }, async (t) => {
  const withoutDsn = ["PIPELINING", "8BITMIME", "SIZE 104857600", "SMTPUTF8", "ENHANCEDSTATUSCODES"];
  const plain = await NextHop.start(script(withoutDsn));
  const old = await NextHop.start(script(["SIZE 104857600"]));
  t.after(async () => Promise.all([plain.stop(), old.stop()]));
  const stage = await openStage(t, {
    file: import.meta.url,
    script: script([...withoutDsn, "DSN"]),
    plan: { retry },
    domains: [
      "example.com",
      { domain: "plain.example", nextHops: [plain.address] },
      { domain: "old.example", nextHops: [old.address] },
      { domain: "redirect.example", bouncesTo: "desk@example.com" },
    ],
  });
  const client = await openSession({ name: "smtp", port: stage.relay.port("smtp") });
  for (const row of rows) {
    const reply = await client.transact(commandsOf(row), messageOf(row));
    assert.equal(reply.code, 250, `${row.name}: ${reply.text}`);
  }
  client.destroy();
  await until("an empty spool", async () => (await stage.relay.status()).spool.queuedRecipients === 0, 60_000);

  const mails = [stage.hop, plain, old].flatMap((hop) => hop.mails);
  const files = mails
    .filter(({ sender }) => sender === "")
    .map((mail, index) => ({ mail, path: join(stage.directory, `notice-${index}.eml`) }));
  for (const { mail, path } of files) writeFileSync(path, mail.message);
  const paths = files.map(({ path }) => path);
  const read = await readNotices(paths);
  const arrived = files.flatMap(({ mail }, index) => {
    const notice = read[index];
    return notice === undefined ? [] : [{ mail, notice }];
  });

  await t.test("as many notices came as were due", () => {
    assert.equal(arrived.length, rows.flatMap(({ notices }) => notices).length);
  });
  for (const row of rows) {
    await t.test(row.name, () => {
      const to = row.to ?? row.from;
      const mine = arrived.filter(({ mail }) => mail.recipients[0] === to);
      assert.equal(mine.length, row.notices.length, mine.map(({ notice }) => notice.text).join("\n"));
      for (const expected of row.notices) {
        const found = mine.find(({ notice }) => isAbout(notice, expected));
        assert.ok(
          found !== undefined,
          `no notice ${expected.action} ${expected.recipients.map(({ final }) => final).join()}`,
        );
        checkHeader(found.notice, row);
        checkEnvelope(found.mail, expected);
        checkFields(found.notice, expected, row);
        checkContent(found.notice, expected);
      }
      if (row.passedOn !== undefined) {
        const mail = mails.find(({ sender }) => sender === row.from);
        const commands = mail?.commands.map((line) => line.replace(/SIZE=\d+/, "SIZE="));
        assert.deepEqual(commands, row.passedOn);
      }
    });
  }
  await t.test("flufl.bounce tells the late from the failed", () => {
    for (const { notice } of arrived) {
      const named = notice.recipients.flatMap((fields) => plainAddress(fields)).toSorted();
      const action = valuesOf(notice.recipients[0] ?? [], "Action")[0];
      assert.deepEqual(notice.permanent, action === "failed" ? named : []);
      assert.deepEqual(notice.temporary, action === "delayed" ? named : []);
    }
  });
  await t.test("every notice is signed by its domain", async () => {
    const good = { rsa: "pass", ed: "pass" };
    const verdicts = await verifyWithDkimpy(stage.records, paths);
    assert.deepEqual(
      verdicts,
      paths.map(() => good),
    );
    // OpenDKIM 2.11 knows RSA only.
    for (const path of paths)
      assert.equal(verifyWithOpendkim(stage.directory, stage.records, path)["rsa"], "pass", path);
  });
  await t.test("log and metrics count the notices, and what could not be told", async () => {
    const metrics = await stage.relay.metrics();
    const count = (name: string): number => Number(new RegExp(`^${name} (\\d+)`, "m").exec(metrics)?.[1] ?? 0);
    for (const action of ["failed", "delayed", "relayed"]) {
      const due = rows.flatMap(({ notices }) => notices).filter((each) => each.action === action).length;
      // The notice that nobody took was written too.
      const undelivered = action === "failed" ? 1 : 0;
      assert.equal(count(`mailboat_delivery_notices_total\\{notice="${action}"\\}`), due + undelivered);
    }
    // Two recipients of the null sender's mail, and the undeliverable notice.
    assert.equal(count("mailboat_delivery_double_bounces_total"), 3);
    assert.equal(stage.relay.program.logs("double bounce").length, 3);
    for (const line of stage.relay.program.lines) assert.doesNotMatch(line, /(?:gone|busy|unreachable)@/);
  });
});

function commandsOf({ from, mail, rcpt }: Row): string[] {
  return [`MAIL FROM:<${from}>${mail === undefined ? "" : ` ${mail}`}`, ...rcpt.map((each) => `RCPT TO:${each}`)];
}

function messageOf({ from, message }: Row): Buffer {
  const sender = from === "" ? "app@example.com" : from;
  const head = `From: <${sender}>\r\nMessage-ID: <${encodeURIComponent(from)}@test>\r\nSubject: ${message?.subject ?? from}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), message?.body ?? Buffer.from("hello\r\n")]);
}

function isAbout(notice: ReadNotice, expected: Notice): boolean {
  const values = (name: string): readonly string[] => notice.recipients.flatMap((fields) => valuesOf(fields, name));
  return (
    JSON.stringify(values("Final-Recipient")) === JSON.stringify(expected.recipients.map(({ final }) => final)) &&
    JSON.stringify(values("Status")) === JSON.stringify(expected.recipients.map(({ status }) => status)) &&
    values("Action").every((action) => action === expected.action)
  );
}

function checkHeader(notice: ReadNotice, row: Row): void {
  const one = (name: string): string => {
    const values = valuesOf(notice.header, name);
    assert.equal(values.length, 1, name);
    return values[0] ?? "";
  };
  assert.deepEqual(notice.defects, []);
  assert.equal(notice.type, "multipart/report");
  assert.equal(notice.reportType, "delivery-status");
  assert.equal(one("To"), `<${row.to ?? row.from}>`);
  const domain = row.from.slice(row.from.indexOf("@") + 1);
  assert.equal(one("From"), `Mail Delivery System <postmaster@${domain}>`);
  const signed = valuesOf(notice.header, "DKIM-Signature").map((value) => /(?:^|;)\s*d=([^;\s]+)/.exec(value)?.[1]);
  assert.deepEqual(signed, [domain, domain]);
  assert.equal(one("Auto-Submitted"), "auto-replied");
  assert.equal(one("MIME-Version"), "1.0");
  assert.match(one("Subject"), /^Your message (?:could not be delivered|is delayed|was passed on)$/);
  assert.match(one("Message-ID"), /^<[0-9a-z]{21}@relay\.example\.net>$/);
  const answered = `<${encodeURIComponent(row.from)}@test>`;
  assert.equal(one("In-Reply-To"), answered);
  assert.equal(one("References"), answered);
  assert.ok(Math.abs(Date.parse(one("Date")) - Date.now()) < 120_000);
}

/** RFC 3461 section 6.1, and what the content needs of the way. */
function checkEnvelope(mail: ReceivedMail, { global }: Notice): void {
  const [command = "", recipient = ""] = mail.commands;
  assert.match(command, /^MAIL FROM:<>/);
  assert.doesNotMatch(command, /RET=|ENVID=/);
  assert.ok(recipient.endsWith(">") || recipient.endsWith("> NOTIFY=NEVER"), recipient);
  const eightBit = mail.message.some((octet) => octet > 0x7f);
  assert.equal(command.includes("BODY=8BITMIME"), eightBit);
  assert.equal(command.includes("SMTPUTF8"), global === true);
  for (const line of mail.message.toString("latin1").split("\r\n")) assert.ok(line.length <= 998);
}

function checkFields(notice: ReadNotice, expected: Notice, row: Row): void {
  const once = (fields: NoticeFields): readonly string[] => fields.map(([name]) => name);
  const envelopeId = row.envid === undefined ? [] : ["original-envelope-id"];
  assert.deepEqual(once(notice.message), ["reporting-mta", ...envelopeId, "arrival-date", "x-mailboat-spool-id"]);
  assert.deepEqual(valuesOf(notice.message, "Reporting-MTA"), ["dns; relay.example.net"]);
  assert.deepEqual(valuesOf(notice.message, "Original-Envelope-Id"), row.envid === undefined ? [] : [row.envid]);
  const arrival = Date.parse(valuesOf(notice.message, "Arrival-Date")[0] ?? "");
  assert.ok(Math.abs(arrival - Date.now()) < 120_000);
  expected.recipients.forEach((told, index) => {
    const fields = notice.recipients[index] ?? [];
    assert.deepEqual(once(fields), [
      ...(told.original === undefined ? [] : ["original-recipient"]),
      "final-recipient",
      "action",
      "status",
      ...(told.remote === false ? [] : ["remote-mta"]),
      "diagnostic-code",
      "last-attempt-date",
      ...(expected.action === "delayed" ? ["will-retry-until"] : []),
    ]);
    const value = (name: string): string => valuesOf(fields, name)[0] ?? "";
    if (told.original !== undefined) assert.equal(value("Original-Recipient"), told.original);
    if (told.remote !== false) assert.equal(value("Remote-MTA"), "dns; [127.0.0.1]");
    if (typeof told.diagnostic === "string") assert.equal(value("Diagnostic-Code"), told.diagnostic);
    else assert.match(value("Diagnostic-Code"), told.diagnostic);
    assert.ok(Date.parse(value("Last-Attempt-Date")) >= arrival);
    if (expected.action === "delayed") {
      // Dates have whole seconds.
      assert.ok(Math.abs(Date.parse(value("Will-Retry-Until")) - arrival - retry.expireAfterMs) <= 1_000);
    }
  });
}

function checkContent(notice: ReadNotice, expected: Notice): void {
  const status = expected.global === true ? "message/global-delivery-status" : "message/delivery-status";
  const types = notice.parts.map(([type]) => type);
  assert.deepEqual(types, ["text/plain", status, expected.returned ?? "text/rfc822-headers"]);
  const text = notice.text.replaceAll(/\s+/g, " ");
  for (const words of expected.says) {
    if (typeof words === "string") assert.ok(text.includes(words), `${words}: ${notice.text}`);
    else assert.match(text, words);
  }
  if (expected.notInText !== undefined) assert.doesNotMatch(notice.text, expected.notInText);
  if (expected.returns !== undefined) assert.match(notice.returned, expected.returns);
  // Only a header comes back, unless the whole was asked for.
  if (expected.returned?.endsWith("headers") !== false)
    assert.doesNotMatch(notice.returned, /^hello|0123456789abcdef/m);
}

/** flufl.bounce prefers the original recipient and knows the type rfc822 alone. */
function plainAddress(fields: NoticeFields): readonly string[] {
  const [typed = ""] = [...valuesOf(fields, "Original-Recipient"), ...valuesOf(fields, "Final-Recipient")];
  return typed.startsWith("rfc822; ") ? [typed.slice("rfc822; ".length)] : [];
}
