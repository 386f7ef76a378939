/**
 * A real Postfix as next hop: it offers DSN, so what the sender wants to be told is passed on, and Postfix's own notices
 * show that it understood every parameter. What it refuses is still ours to tell.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { startPostfix } from "../support/mailhosts.ts";
import { readNotices, valuesOf, type ReadNotice } from "../support/notice.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { openSession } from "../support/send.ts";
import { openStage, simpleMessage } from "../support/stage.ts";
import { until } from "../support/until.ts";

/** A notice to the sender: who wrote it, and its fields. */
interface Told {
  readonly reporter: string;
  readonly action: string;
  readonly envid?: string;
  readonly original?: string;
  readonly final: string;
  readonly status: string;
  /** What came back: RET is about failures. */
  readonly returned: string;
}

interface Row {
  readonly name: string;
  readonly from: string;
  readonly mail?: string;
  readonly rcpt: readonly string[];
  readonly notices: readonly Told[];
}

const rows: readonly Row[] = [
  {
    name: "success is told by Postfix, with ENVID and ORCPT as the sender wrote them",
    from: "success@example.com",
    mail: "RET=FULL ENVID=order+2B42",
    rcpt: ["<someone@example.org> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Some+2Bone@example.net"],
    notices: [
      {
        reporter: "postfix.example.org",
        action: "delivered",
        envid: "order+42",
        original: "rfc822; Some+one@example.net",
        final: "rfc822; someone@example.org",
        status: "2.0.0",
        returned: "text/rfc822-headers",
      },
    ],
  },
  {
    name: "of three recipients the one that asked is told of",
    from: "mixed@example.com",
    rcpt: ["<asked@example.org> NOTIFY=SUCCESS", "<silent@example.org>", "<never@example.org> NOTIFY=NEVER"],
    notices: [
      {
        reporter: "postfix.example.org",
        action: "delivered",
        original: "rfc822; asked@example.org",
        final: "rfc822; asked@example.org",
        status: "2.0.0",
        returned: "text/rfc822-headers",
      },
    ],
  },
  {
    name: "what Postfix refuses is told by the relay",
    from: "refused@example.com",
    mail: "RET=FULL ENVID=order+2B43",
    rcpt: ["<nobody@example.org> NOTIFY=SUCCESS,FAILURE", "<silent@example.org>"],
    notices: [
      {
        reporter: "relay.example.net",
        action: "failed",
        envid: "order+43",
        final: "rfc822; nobody@example.org",
        status: "5.1.1",
        returned: "message/rfc822",
      },
    ],
  },
  { name: "nothing was asked for", from: "plain@example.com", rcpt: ["<someone@example.org>"], notices: [] },
];

test("Postfix tells the sender what it was asked to, and the relay the rest", { timeout: 120_000 }, async (t) => {
  const postfix = await startPostfix(t, makeResultsDirectory(import.meta.url, "postfix"));
  const stage = await openStage(t, { file: import.meta.url, plan: { nextHops: [postfix.address] } });
  const client = await openSession({ name: "smtp", port: stage.relay.port("smtp") });
  for (const { from, mail, rcpt, name } of rows) {
    const commands = [`MAIL FROM:<${from}> ${mail ?? ""}`.trimEnd(), ...rcpt.map((each) => `RCPT TO:${each}`)];
    const reply = await client.transact(commands, simpleMessage(name, from));
    assert.equal(reply.code, 250, `${name}: ${reply.text}`);
  }
  client.destroy();
  await until("an empty spool", async () => (await stage.relay.status()).spool.queuedRecipients === 0);
  const notices = rows.flatMap((row) => row.notices);
  const accepted = rows.flatMap(({ rcpt }) => rcpt).filter((each) => !each.startsWith("<nobody@"));
  // A message to several recipients is delivered to each, and a notice is a message too.
  const expected = accepted.length + notices.length;
  await until(`${expected} files in the maildir`, () => postfix.files().length >= expected);

  const read = await readNotices(postfix.files().filter((path) => isReport(path)));
  assert.equal(read.length, notices.length);
  for (const row of rows) {
    await t.test(row.name, () => {
      const mine = read.filter((notice) => valuesOf(notice.header, "To")[0]?.includes(row.from));
      assert.deepEqual(mine.map(seen), row.notices);
    });
  }
});

function isReport(path: string): boolean {
  const text = readFileSync(path, "latin1");
  return /^Content-Type: multipart\/report/im.test(text.slice(0, text.search(/\r?\n\r?\n/)));
}

function seen(notice: ReadNotice): Told {
  const [recipient = []] = notice.recipients;
  // Postfix writes some of its types without the space.
  const value = (name: string): string | undefined =>
    valuesOf([...notice.message, ...recipient], name)[0]?.replace(/^(rfc822|dns); ?/, "$1; ");
  assert.equal(notice.recipients.length, 1);
  const [envid, original] = [value("Original-Envelope-Id"), value("Original-Recipient")];
  return {
    reporter: value("Reporting-MTA")?.slice("dns; ".length) ?? "",
    action: value("Action") ?? "",
    ...(envid === undefined ? {} : { envid }),
    ...(original === undefined ? {} : { original }),
    final: value("Final-Recipient") ?? "",
    status: value("Status") ?? "",
    returned: notice.parts[2]?.[0] ?? "",
  };
}
