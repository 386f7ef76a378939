/**
 * Lines over 998 octets: a real Postfix between us and the last host breaks them, and a signature over what it breaks is
 * worthless. What we make of such messages arrives behind it with both signatures good in the eyes of dkimpy and OpenDKIM,
 * and says what it said before.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { mended } from "../support/generated.ts";
import { startPostfix } from "../support/mailhosts.ts";
import { NextHop } from "../support/nexthop.ts";
import { verifyWithOpendkim } from "../support/opendkim.ts";
import { decodePartsWithPython, verifyWithDkimpy } from "../support/python.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { openSession } from "../support/send.ts";
import { openStage, sender, subjectOf } from "../support/stage.ts";
import { lacking, needsRoot } from "../support/tools.ts";

const skip = lacking("postfix", "opendkim") || needsRoot();
const both = { rsa: "pass", ed: "pass" };

test("long lines behind a Postfix that breaks them", { skip }, async (t) => {
  const work = makeResultsDirectory(import.meta.url, "messages");
  const last = await NextHop.start();
  t.after(() => last.stop());
  const postfix = await startPostfix(t, work, { relayTo: last.address });
  const stage = await openStage(t, { file: import.meta.url, plan: { nextHops: [postfix.address] } });
  const client = await openSession({ name: "smtp", port: stage.relay.port("smtp") });
  t.after(() => client.destroy());
  const send = async (name: string, rest: Buffer, fields = ""): Promise<string> => {
    const top = `${fields}From: ${sender}\r\nTo: someone@example.org\r\nSubject: ${name}\r\n`;
    const message = Buffer.concat([Buffer.from(top, "latin1"), rest]);
    const reply = await client.send(sender, ["someone@example.org"], message);
    assert.equal(reply.code, 250, `${name}: ${reply.text}`);
    const path = join(work, `${name.replaceAll(/\W/g, "-")}.sent`);
    writeFileSync(path, message);
    return path;
  };
  const sent: string[] = [];
  for (const row of mended) sent.push(await send(row.name, row.rest));
  const signed = "signed by somebody before";
  const long = Buffer.from(`\r\n${"x".repeat(3000)}\r\n`);
  await send(signed, long, "DKIM-Signature: v=1; a=rsa-sha256; d=other.example; s=other; h=from; bh=eA==; b=eA==\r\n");
  await last.waitForMails(mended.length + 1);
  const arrivals = new Map(last.mails.map(({ message }) => [subjectOf(fromFirstSignature(message)), message]));
  const pathOf = (name: string): string => {
    const path = join(work, `${name.replaceAll(/\W/g, "-")}.arrived`);
    writeFileSync(path, arrivals.get(name) ?? "");
    return path;
  };
  const arrived = mended.map((row) => pathOf(row.name));
  const verdicts = await verifyWithDkimpy(stage.records, arrived);
  const before = await decodePartsWithPython(sent);
  const after = await decodePartsWithPython(arrived);

  for (const [index, row] of mended.entries()) {
    await t.test(`${row.name} arrives verified, and means the same`, () => {
      assert.deepEqual(verdicts[index], both);
      assert.deepEqual(verifyWithOpendkim(work, stage.records, arrived[index] ?? ""), both);
      assert.deepEqual(after[index], before[index]);
    });
  }

  await t.test("what was signed before is not touched by us, and Postfix breaks it", async () => {
    const path = pathOf(signed);
    assert.match(arrivals.get(signed)?.toString("latin1") ?? "", new RegExp(`\r\n\r\n${"x".repeat(998)}\r\n x`));
    const [verdict] = await verifyWithDkimpy(stage.records, [path]);
    assert.deepEqual({ rsa: verdict?.["rsa"], ed: verdict?.["ed"] }, { rsa: undefined, ed: undefined });
    assert.equal(Object.values(verdict ?? {}).filter((each) => /body hash/.test(each)).length, 2);
  });
});

/** Behind what Postfix put on top. */
function fromFirstSignature(message: Buffer): Buffer {
  return message.subarray(Math.max(message.indexOf("DKIM-Signature:"), 0));
}
