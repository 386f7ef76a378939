/**
 * Property: whatever a next hop says, whatever addresses and envelope ids are, Python's email package reads the notice as
 * the three parts that were meant, with the fields that were meant and no others, and flufl.bounce names the right
 * recipients.
 */
import assert from "node:assert/strict";
import { isAscii } from "node:buffer";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { parseAddress } from "../../relay/mail/address.ts";
import type { NoticeFacts, ReportedRecipient } from "../../relay/mail/notice/facts.ts";
import { writeReport } from "../../relay/mail/notice/report.ts";
import { readNotices, valuesOf, type ReadNotice } from "../support/notice.ts";
import { makeResultsDirectory } from "../support/results.ts";

const notices = 400;

const piece = fc.constantFrom(
  "\r\n",
  "\r",
  "\n",
  "\0",
  "\r\n\r\n",
  "--=_0",
  "Status: 2.0.0",
  "=20",
  "=\r\n",
  "\u0085",
  "\u2028",
);
const said = fc.array(fc.oneof(piece, fc.string({ unit: "binary", maxLength: 300 })), { maxLength: 8 });
const local = fc.oneof(
  fc.string({ unit: "binary", minLength: 1, maxLength: 30 }),
  fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 30 }).map((text) => `"${text}"`),
  fc.constantFrom("a.b+c=d", '"a  b"', "\u4e2d\u6587\u00fc", "j\u00fcrgen"),
);
const address = fc
  .tuple(local, fc.constantFrom("example.org", "xn--bcher-kva.example"))
  .map(([name, domain]) => parseAddress(`${name}@${domain}`)?.address ?? `plain@${domain}`);
const reply = fc.record({
  code: fc.integer({ min: 400, max: 599 }),
  enhanced: fc.constantFrom("5.1.1", "4.2.0", "5.7.1"),
  text: said.map((words) => words.join("")),
});
const recipient: fc.Arbitrary<ReportedRecipient> = fc
  .record({ address, reply, host: fc.constantFrom(undefined, "127.0.0.1", "::1", "mx.example.org", "evil\r\nhost") })
  .map(({ host, ...rest }) => ({
    ...rest,
    status: rest.reply.enhanced,
    cause: rest.reply.enhanced,
    ...(host === undefined ? {} : { remoteHost: host }),
  }));
const orcpt = fc.oneof(
  fc.constant(undefined),
  fc.string({ unit: "binary", maxLength: 60 }).map((text) => `utf-8;${text}`),
  fc.string({ unit: "grapheme-ascii", maxLength: 60 }),
);
const facts: fc.Arbitrary<NoticeFacts> = fc
  .record({
    action: fc.constantFrom("failed", "delayed", "relayed"),
    to: fc.constantFrom("app@example.com", "j\u00f6rg@example.com"),
    recipients: fc.array(fc.tuple(recipient, orcpt), { minLength: 1, maxLength: 3 }),
    header: fc.constantFrom("From: a@example.com\r\nSubject: x\r\n", "X-Note: = \r\nSubject: gr\u00fcn = x\r\n"),
    envid: fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 100 }),
    smtpUtf8: fc.boolean(),
  })
  .map(({ action, to, recipients, header, envid, smtpUtf8 }) => ({
    action,
    hostname: "relay.example.net",
    from: "postmaster@example.com",
    to,
    id: "0notice",
    originalId: "0original",
    now: Date.UTC(2026, 10, 24),
    acceptedAt: Date.UTC(2026, 10, 23),
    retryUntil: Date.UTC(2026, 10, 28),
    envid,
    recipients: recipients.map(([each, original]) => (original === undefined ? each : { ...each, orcpt: original })),
    original: { header: Buffer.from(header), eightBit: header.includes("\u00fc"), smtpUtf8 },
    boundary: "=_0notice_0123456789ab",
  }));

test("no reply, address or envelope id bends a notice", async (t) => {
  const directory = makeResultsDirectory(import.meta.url, "notices");
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`seed ${seed}`);
  const samples = fc.sample(facts, { numRuns: notices, seed });
  const paths = samples.map((sample, index) => {
    const { header, body } = writeReport(sample);
    const octets = Buffer.concat([header, Buffer.from("\r\n"), body]);
    const path = join(directory, `${index}.eml`);
    writeFileSync(path, octets);
    return path;
  });
  const read = await readNotices(paths);
  assert.equal(read.length, notices);
  samples.forEach((sample, index) => {
    const notice = read[index];
    assert.ok(notice !== undefined);
    check(sample, notice, paths[index] ?? "");
  });
  t.diagnostic(`${notices} notices, ${samples.filter(({ to }) => to.startsWith("j")).length} of them for SMTPUTF8`);
});

function check(sample: NoticeFacts, notice: ReadNotice, path: string): void {
  assert.deepEqual(notice.defects, [], path);
  // RFC 6533 section 3: a notice to an ASCII address is ASCII, so that every way can carry it.
  if (isAscii(Buffer.from(sample.to))) assert.ok(isAscii(readFileSync(path)), path);
  assert.deepEqual(
    notice.message.map(([name]) => name),
    ["reporting-mta", "original-envelope-id", "arrival-date", "x-mailboat-spool-id"],
    path,
  );
  assert.equal(notice.recipients.length, sample.recipients.length, path);
  sample.recipients.forEach((reported, at) => {
    const fields = notice.recipients[at] ?? [];
    assert.deepEqual(
      fields.map(([name]) => name),
      [
        ...(reported.orcpt === undefined ? [] : ["original-recipient"]),
        "final-recipient",
        "action",
        "status",
        ...(reported.remoteHost === undefined ? [] : ["remote-mta"]),
        "diagnostic-code",
        "last-attempt-date",
        ...(sample.action === "delayed" ? ["will-retry-until"] : []),
      ],
      path,
    );
    const [final = ""] = valuesOf(fields, "Final-Recipient");
    assert.equal(decoded(final), reported.address, path);
    assert.deepEqual(valuesOf(fields, "Status"), [reported.status], path);
  });
  assert.ok(notice.returned.includes("Subject: "), path);
  const header = sample.original.header.toString("latin1").replaceAll("\r\n", "\n").trim();
  assert.equal(notice.returned.replaceAll("\r\n", "\n").trim(), header, path);
}

/** What a reader of RFC 6533 section 3 makes of a typed address. */
function decoded(typed: string): string {
  const form = typed.slice(typed.indexOf("; ") + 2);
  if (typed.startsWith("rfc822; ")) return form;
  return form.replace(/\\x\{([0-9A-F]{2,6})\}/g, (_, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)));
}
