import assert from "node:assert/strict";
import { test } from "node:test";
import { parseHelo, parseMail, parseRcpt } from "./command.ts";

interface MailCase {
  readonly line: string;
  readonly sender?: string;
  readonly rest?: Readonly<Record<string, unknown>>;
  readonly refused?: string;
}

const mails: readonly MailCase[] = [
  { line: "MAIL FROM:<a@example.com>", sender: "a@example.com" },
  { line: "mail from: <a@example.com>", sender: "a@example.com" },
  { line: "MAIL FROM:\t<a@example.com> SIZE=7", sender: "a@example.com", rest: { sizeBytes: 7 } },
  { line: "MAIL FROM: \t ", refused: "501 5.1.7" },
  { line: "MAIL FROM:<>", sender: "" },
  { line: "MAIL FROM:<@relay.example,@b.example:a@example.com>", sender: "a@example.com" },
  { line: "MAIL FROM:<a@XN--MNCHEN-3YA.example>", sender: "a@xn--mnchen-3ya.example" },
  { line: 'MAIL FROM:<"a > b"@example.com>', sender: '"a > b"@example.com' },
  {
    line: "MAIL FROM:<a@example.com> SIZE=1000 BODY=8bitmime",
    sender: "a@example.com",
    rest: { sizeBytes: 1000, body: "8BITMIME" },
  },
  {
    line: "MAIL FROM:<a@example.com> RET=hdrs ENVID=ab+2Bc",
    sender: "a@example.com",
    rest: { ret: "HDRS", envid: "ab+2Bc" },
  },
  { line: "MAIL FROM:<a@example.com> AUTH=<>", sender: "a@example.com", rest: { smtpUtf8: false } },
  {
    line: "MAIL FROM:<jörg@münchen.example> SMTPUTF8",
    sender: "jörg@xn--mnchen-3ya.example",
    rest: { smtpUtf8: true },
  },
  { line: "MAIL FROM:<jörg@example.com>", refused: "553 5.6.7" },
  { line: "MAIL FROM:<a@münchen.example>", refused: "553 5.6.7" },
  { line: "MAIL FROM:a@example.com", sender: "a@example.com" },
  { line: "MAIL FROM: a@example.com SIZE=1000", sender: "a@example.com", rest: { sizeBytes: 1000 } },
  { line: 'MAIL FROM:"a > b"@example.com SIZE=7', sender: '"a > b"@example.com', rest: { sizeBytes: 7 } },
  { line: "MAIL FROM:a@example.com> SIZE=1", refused: "501 5.1.7" },
  { line: "MAIL FROM:a@example.com<>", refused: "501 5.1.7" },
  { line: "MAIL FROM:", refused: "501 5.1.7" },
  { line: "MAIL FROM: ", refused: "501 5.1.7" },
  { line: "MAIL FROM:SIZE=1000", refused: "501 5.1.7" },
  { line: 'MAIL FROM:"a@example.com', refused: "501 5.1.7" },
  { line: "MAIL FROM:a@example.com b@example.com", refused: "501 5.5.4" },
  { line: "MAIL FROM:<a@example.com", refused: "501 5.1.7" },
  { line: "MAIL FROM:<a>", refused: "501 5.1.7" },
  { line: "MAIL FROM:<<a@example.com>>", refused: "501 5.1.7" },
  { line: "MAIL FROM:<a b@example.com>", refused: "501 5.1.7" },
  { line: "MAIL TO:<a@example.com>", refused: "501 5.5.2" },
  { line: "MAIL", refused: "501 5.5.2" },
  { line: "MAIL FROM:<a@example.com>SIZE=1", refused: "501 5.5.4" },
  { line: "MAIL FROM:<a@example.com> SIZE=x", refused: "501 5.5.4" },
  { line: "MAIL FROM:<a@example.com> SIZE", refused: "501 5.5.4" },
  { line: "MAIL FROM:<a@example.com> SIZE=1 size=2", refused: "501 5.5.4" },
  { line: "MAIL FROM:<a@example.com> BODY=BINARYMIME", refused: "501 5.5.4" },
  { line: "MAIL FROM:<a@example.com> SMTPUTF8=yes", refused: "501 5.5.4" },
  { line: "MAIL FROM:<a@example.com> RET=ALL", refused: "501 5.5.4" },
  { line: "MAIL FROM:<a@example.com> ENVID=a+0D+0Ab", refused: "501 5.5.4" },
  { line: "MAIL FROM:<a@example.com> ENVID=a+b", sender: "a@example.com", rest: { envid: "a+2Bb" } },
  { line: "MAIL FROM:<a@example.com> ENVID=a+7F", refused: "501 5.5.4" },
  { line: `MAIL FROM:<a@example.com> ENVID=${"a".repeat(101)}`, refused: "501 5.5.4" },
  { line: "MAIL FROM:<a@example.com> =1", refused: "501 5.5.4" },
  { line: "MAIL FROM:<a@example.com> REQUIRETLS", refused: "555 5.5.4" },
  { line: "MAIL FROM:<a@example.com> MT-PRIORITY=3", refused: "555 5.5.4" },
];
for (const { line, sender, rest, refused } of mails) {
  test(`parseMail() answers ${refused ?? JSON.stringify(sender)} to ${line.slice(0, 70)}`, () => {
    const parsed = parseMail(Buffer.from(line));
    assert.equal(parsed.kind === "refusal" ? `${parsed.code} ${parsed.enhanced}` : undefined, refused);
    if (parsed.kind === "mail") {
      assert.equal(parsed.sender?.address ?? "", sender);
      assert.deepEqual({ ...parsed, ...rest }, parsed);
    }
  });
}

test("parseMail() says what is wrong between angle brackets that are there", () => {
  for (const path of ["< a@example.com>", "<a@example.com >", '<a"b@example.com>', "<<a@example.com>>"]) {
    const parsed = parseMail(Buffer.from(`MAIL FROM:${path}`));
    assert.match(parsed.kind === "refusal" ? parsed.text : "", /^A space, quote or bracket between/, path);
  }
  const bare = parseMail(Buffer.from("MAIL FROM:"));
  assert.match(bare.kind === "refusal" ? bare.text : "", /must stand in angle brackets/);
});

interface RcptCase {
  readonly line: string;
  readonly smtpUtf8?: boolean;
  readonly recipient?: Readonly<Record<string, unknown>>;
  readonly refused?: string;
}

const rcpts: readonly RcptCase[] = [
  { line: "RCPT TO:<b@example.net>", recipient: { address: "b@example.net" } },
  { line: "RCPT TO: \tb@example.net", recipient: { address: "b@example.net" } },
  { line: "RCPT TO:<b@EXAMPLE.net> NOTIFY=never", recipient: { address: "b@example.net", notify: ["NEVER"] } },
  {
    line: "RCPT TO:<b@example.net> NOTIFY=DELAY,success ORCPT=rfc822;b+2Bx@example.org",
    recipient: { address: "b@example.net", notify: ["SUCCESS", "DELAY"], orcpt: "rfc822;b+2Bx@example.org" },
  },
  {
    line: "RCPT TO:<b@example.net> ORCPT=utf-8;j\\x{FC}rgen@example.org",
    recipient: { address: "b@example.net", orcpt: "utf-8;j\\x{FC}rgen@example.org" },
  },
  {
    line: "RCPT TO:<b@example.net> ORCPT=utf-8;jürgen@example.org",
    smtpUtf8: true,
    recipient: { address: "b@example.net", orcpt: "utf-8;jürgen@example.org" },
  },
  { line: "RCPT TO:<b@example.net> ORCPT=utf-8;jürgen@example.org", refused: "501 5.5.4" },
  { line: "RCPT TO:<b@example.net> ORCPT=rfc822;jürgen@example.org", smtpUtf8: true, refused: "501 5.5.4" },
  { line: "RCPT TO:<b@bücher.example>", smtpUtf8: true, recipient: { address: "b@xn--bcher-kva.example" } },
  { line: "RCPT TO:<b@bücher.example>", refused: "553 5.6.7" },
  { line: "RCPT TO:<>", refused: "501 5.1.3" },
  { line: "RCPT TO:<postmaster>", recipient: { address: "postmaster@relay.example.com" } },
  {
    line: "RCPT TO:<Postmaster> NOTIFY=NEVER",
    recipient: { address: "Postmaster@relay.example.com", notify: ["NEVER"] },
  },
  { line: "RCPT TO:postmaster", recipient: { address: "postmaster@relay.example.com" } },
  { line: "RCPT TO:<postmasters>", refused: "501 5.1.3" },
  { line: "RCPT TO:b@example.net", recipient: { address: "b@example.net" } },
  { line: "RCPT TO:b@example.net NOTIFY=NEVER", recipient: { address: "b@example.net", notify: ["NEVER"] } },
  { line: "RCPT TO:", refused: "501 5.1.3" },
  {
    line: "RCPT TO:<b+x@example.net> ORCPT=rfc822;b+x@example.net",
    recipient: { address: "b+x@example.net", orcpt: "rfc822;b+2Bx@example.net" },
  },
  {
    line: "RCPT TO:<b@example.net> ORCPT=rfc822;b+15+@example.net",
    recipient: { address: "b@example.net", orcpt: "rfc822;b+2B15+2B@example.net" },
  },
  {
    line: "RCPT TO:<b@example.net> ORCPT=utf-8;jürgen+x@example.org",
    smtpUtf8: true,
    recipient: { address: "b@example.net", orcpt: "utf-8;jürgen+2Bx@example.org" },
  },
  { line: `RCPT TO:<b@example.net> ORCPT=rfc822;${"+".repeat(200)}`, refused: "501 5.5.4" },
  { line: "RCPT TO:<b@example.net> ORCPT=rfc822;a+0D", refused: "501 5.5.4" },
  { line: "RCPT TO:<b@example.net> NOTIFY=NEVER,DELAY", refused: "501 5.5.4" },
  { line: "RCPT TO:<b@example.net> NOTIFY=", refused: "501 5.5.4" },
  { line: "RCPT TO:<b@example.net> NOTIFY=SUCCESS,SUCCESS", refused: "501 5.5.4" },
  { line: "RCPT TO:<b@example.net> NOTIFY=OFTEN", refused: "501 5.5.4" },
  { line: "RCPT TO:<b@example.net> ORCPT=b@example.org", refused: "501 5.5.4" },
  { line: "RCPT TO:<b@example.net> ORCPT=rfc822;a+0Ab", refused: "501 5.5.4" },
  { line: "RCPT TO:<b@example.net> SIZE=3", refused: "555 5.5.4" },
];
for (const { line, smtpUtf8, recipient, refused } of rcpts) {
  test(`parseRcpt() answers ${refused ?? JSON.stringify(recipient)} to ${line}`, () => {
    const parsed = parseRcpt(Buffer.from(line), { smtpUtf8: smtpUtf8 ?? false, hostname: "relay.example.com" });
    assert.equal(parsed.kind === "refusal" ? `${parsed.code} ${parsed.enhanced}` : undefined, refused);
    assert.deepEqual(parsed.kind === "rcpt" ? parsed.recipient : undefined, recipient);
  });
}

for (const [line, name] of [
  ["EHLO Client.example", "client.example"],
  ["HELO front office pc", "front office pc"],
  ["HELO  [192.0.2.1] ", "[192.0.2.1]"],
  ["EHLO", undefined],
  ["EHLO ", undefined],
  [`EHLO ${"a".repeat(301)}`, undefined],
] as const) {
  test(`parseHelo() answers ${name} to ${line.slice(0, 40)}`, () => {
    assert.equal(parseHelo(Buffer.from(line)), name);
  });
}
