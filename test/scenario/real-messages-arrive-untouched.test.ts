/**
 * Python's own e-mail corpus, sent by Python's smtplib: awkward real messages. What has one usable From and a well-formed
 * header arrives octet for octet but for the stated changes, with both signatures good in the eyes of dkimpy and OpenDKIM;
 * the rest is refused with a reason.
 */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { unstatedChange } from "../support/message.ts";
import { verifyWithOpendkim } from "../support/opendkim.ts";
import { sendWithSmtplib, verifyWithDkimpy } from "../support/python.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { openStage } from "../support/stage.ts";
import { lacking } from "../support/tools.ts";

const corpus = "/usr/lib/python3.11/test/test_email/data";

const noFrom = /^5\.6\.0 The message must have exactly one From field, it has 0$/;

/** Why a message of the corpus is refused with 550 5.6.0: what the reply says. Every other message is accepted. */
const refused: Readonly<Record<string, { readonly because: string; readonly reply: RegExp }>> = {
  "msg_05.txt": {
    because: "From: foo, without a domain",
    reply: /^5\.6\.0 The From field .*no domain, write <name@domain>$/,
  },
  "msg_11.txt": { because: "only a Subject", reply: noFrom },
  "msg_18.txt": { because: "no From", reply: noFrom },
  "msg_19.txt": { because: "the first line is a sentence", reply: /^5\.6\.0 Line 1 of the message: / },
  "msg_25.txt": { because: "an mbox line on top", reply: /^5\.6\.0 Line 1 of the message: .*mbox/ },
  "msg_35.txt": { because: "the header ends without an empty line", reply: /^5\.6\.0 Line 4 of the message: / },
  "msg_37.txt": { because: "no From", reply: noFrom },
  "msg_38.txt": { because: "no From", reply: noFrom },
  "msg_39.txt": { because: "no From", reply: noFrom },
  "msg_40.txt": { because: "no From", reply: noFrom },
  "msg_43.txt": { because: "an mbox line on top", reply: /^5\.6\.0 Line 1 of the message: / },
};

/** Domains of the corpus's From and Sender fields. */
const domains = ["bar.baz", "ddd.com", "digicool.com", "dom.ain", "example.com", "example.net", "ietf.org"].concat([
  "freebsd.org",
  "python.org",
  "socal-raves.org",
  "ucla.edu",
  "xcar.wooster.local",
  "xx.dk",
  "zzz.org",
]);

const skip = lacking("opendkim") || (existsSync(corpus) ? false : "not installed: libpython3.11-testsuite");

test("Python's corpus", { skip }, async (t) => {
  const files = globSync(`${corpus}/msg_*.txt`).toSorted();
  assert.equal(files.length, 47);
  const work = makeResultsDirectory(import.meta.url, "messages");
  const mails = files.map((file, index) => {
    const name = basename(file);
    const octets = readFileSync(file)
      .toString("latin1")
      .replace(/\r\n|\r|\n/g, "\r\n");
    const sent = Buffer.from(octets.endsWith("\r\n") ? octets : `${octets}\r\n`, "latin1");
    writeFileSync(join(work, name), sent);
    return { name, sent, path: join(work, name), recipient: `m${index}@example.org` };
  });
  const stage = await openStage(t, { file: import.meta.url, domains });
  const orders = mails.map((mail) => ({
    path: mail.path,
    sender: "",
    recipients: [mail.recipient],
    options: ["BODY=8BITMIME"],
  }));
  const replies = await sendWithSmtplib(stage.relay.port("smtp"), orders);
  const accepted = mails.filter((mail) => refused[mail.name] === undefined);
  await stage.hop.waitForMails(replies.filter(([code]) => code === 250).length);
  const arrivals = new Map(stage.hop.mails.map((mail) => [mail.recipients[0], mail.message]));
  const arrivalPaths = accepted.map((mail) => {
    const path = join(work, `${mail.name}.arrived`);
    writeFileSync(path, arrivals.get(mail.recipient) ?? "");
    return path;
  });
  const verdicts = await verifyWithDkimpy(stage.records, arrivalPaths);

  for (const [index, mail] of mails.entries()) {
    const refusal = refused[mail.name];
    const [code, text] = replies[index] ?? [0, ""];
    if (refusal === undefined) continue;
    await t.test(`${mail.name} is refused: ${refusal.because}`, () => {
      assert.equal(code, 550, text);
      assert.match(text, refusal.reply);
      assert.equal(arrivals.has(mail.recipient), false);
    });
  }
  for (const [index, mail] of accepted.entries()) {
    const path = arrivalPaths[index] ?? "";
    await t.test(`${mail.name} arrives untouched, and dkimpy and OpenDKIM verify it`, () => {
      const arrived = arrivals.get(mail.recipient);
      assert.ok(arrived !== undefined, `refused: ${String(replies[mails.indexOf(mail)])}`);
      assert.equal(unstatedChange(mail.sent, arrived), undefined);
      assert.deepEqual(verdicts[index], { rsa: "pass", ed: "pass" });
      assert.deepEqual(verifyWithOpendkim(work, stage.records, path), { rsa: "pass", ed: "pass" });
    });
  }
});
