/** `relay trace ID` beside a running relay: what became of one message, in domains and replies, until it has left the spool. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { besideRelay, inspectWith, type Inspected } from "../support/inspection.ts";
import { openSession } from "../support/send.ts";
import { openStage, sender, type Stage } from "../support/stage.ts";
import { until } from "../support/until.ts";

const retry = { firstMs: 1_000, maxMs: 1_000, expireAfterMs: 600_000, notifyDelayAfterMs: 500_000 };
const recipients = ["ready@ready.example", "later@later.example", "gone@gone.example", "gone.too@gone.example"];

/** No local part of a recipient or sender, no subject and no body may show anywhere. */
const secrets = /(?:ready|later|gone|too|app|stuck)@|plain words|Quarterly/;

function messageWith(messageId: string): Buffer {
  const fields = [`From: ${sender}`, "To: x@example.org", "Subject: Quarterly", `Message-ID: ${messageId}`];
  return Buffer.from(`${fields.join("\r\n")}\r\n\r\nplain words\r\n`, "latin1");
}

/** Returns the spool id, as the client is told it. */
async function submit(stage: Stage, to: readonly string[], messageId: string): Promise<string> {
  const client = await openSession({ name: "smtp", port: stage.relay.port("smtp") });
  const reply = await client.send(sender, to, messageWith(messageId));
  client.destroy();
  const id = /Message accepted as (\w+)/.exec(reply.text)?.[1];
  assert.ok(id !== undefined, reply.text);
  return id;
}

const trace = async (stage: Stage, ...args: readonly string[]): Promise<Inspected> => {
  const inspected = await inspectWith(besideRelay(stage.relay), ["trace", ...args]);
  assert.doesNotMatch(inspected.out, secrets);
  return inspected;
};

function assertLines(text: string, expected: readonly RegExp[]): void {
  for (const pattern of expected) assert.match(text, pattern, `${pattern.source} is not in:\n${text}`);
}

test("accepted, delivered, put off, refused and bounced: each step with its time, domain and reply", async (t) => {
  const stage = await openStage(t, {
    file: import.meta.url,
    name: "story",
    plan: { retry },
    script: {
      recipient(address, attempt) {
        if (address.startsWith("gone")) return `550 5.1.1 <${address}> is not known here`;
        return address.startsWith("later") && attempt === 1 ? "451 4.2.0 mailbox is busy" : undefined;
      },
    },
  });
  const id = await submit(stage, recipients, "<quarter-3@mail.example.com>");
  await stage.hop.waitUntil("all mails", () => stage.hop.mails.length === 3);
  await until("an empty spool", async () => (await stage.relay.status()).spool.queuedMessages === 0);
  await until("the last line", () => stage.relay.program.logs("delivered").length === 3);

  const told = await trace(stage, id);
  assert.deepEqual([told.status, told.err], [0, ""]);
  assertLines(told.out, [
    new RegExp(
      `^${id} from example\\.com: \\d+ octets, 4 recipients \\(1 at ready\\.example, 1 at later\\.example, 2 at gone\\.example\\)$`,
      "m",
    ),
    /^ {2}accepted \d{4}-\d\d-\d\dT[\d:.]+Z by listener smtp: 250 2\.6\.0/m,
    /^ +\+\d+(?:\.\d{3})? s {2}delivered {2}1 recipient at ready\.example, attempt 1, next hop 127\.0\.0\.1: 250 2\.0\.0 queued$/m,
    /^ +\+\d+(?:\.\d{3})? s {2}deferred {3}1 recipient at later\.example, attempt 1, .*: 451 4\.2\.0 mailbox is busy; next attempt \S+Z$/m,
    /^ +\+\d+(?:\.\d{3})? s {2}delivered {2}1 recipient at later\.example, attempt 2/m,
    /^ +\+\d+(?:\.\d{3})? s {2}failed {5}2 recipients at gone\.example, attempt 1, .*: 550 5\.1\.1 <\*@gone\.example> is not known here$/m,
    /^ +\+\d+(?:\.\d{3})? s {2}bounced {4}the sender is told \(failed\) by notice (\w+)$/m,
    /^ {2}nothing of it is left in the spool$/m,
    // The notice is a message of its own, told after it.
    new RegExp(`^  accepted \\S+ as the notice \\(failed\\) of ${id}`, "m"),
    /delivered {2}1 recipient at example\.com/,
  ]);

  for (const asked of ["<quarter-3@mail.example.com>", "quarter-3@mail.example.com"]) {
    assert.equal((await trace(stage, asked)).out, told.out);
  }
  const noticeId = /by notice (\w+)/.exec(told.out)?.[1] ?? "";
  assertLines((await trace(stage, noticeId)).out, [new RegExp(`^${noticeId} from example\\.com`)]);

  const json = JSON.parse((await trace(stage, id, "--json")).out) as {
    readonly stories: readonly { readonly spoolId: string; readonly events: readonly { readonly event: string }[] }[];
    readonly queued: readonly unknown[];
  };
  assert.deepEqual(
    json.stories.map(({ spoolId }) => spoolId),
    [id, noticeId],
  );
  assert.deepEqual(json.stories[0]?.events.map(({ event }) => event).toSorted(), [
    "accepted",
    "bounced",
    "deferred",
    "delivered",
    "delivered",
    "failed",
  ]);
  assert.deepEqual(json.queued, []);
});

test("what waits is told from the spool, also after kill -9, and also when no relay runs", async (t) => {
  let isOpen = false;
  const stage = await openStage(t, {
    file: import.meta.url,
    name: "killed",
    plan: { retry: { ...retry, firstMs: 6_000, maxMs: 6_000 } },
    script: { recipient: (address) => (isOpen ? undefined : `451 4.2.1 <${address}> is stuck`) },
  });
  const id = await submit(stage, ["stuck@later.example", "ready@later.example"], "<waits@mail.example.com>");
  await stage.relay.program.waitForLog("deferred");
  const inSpool =
    /^ {2}in the spool: 2 recipients at later\.example, \d+ attempts?, next \S+Z \((?:in [\d.]+ s|now)\); last reply 451 4\.2\.1 <\*@later\.example> is stuck$/m;
  assertLines((await trace(stage, id)).out, [/deferred {3}2 recipients at later\.example, attempt 1/, inSpool]);

  const environment = besideRelay(stage.relay);
  await stage.relay.program.kill("SIGKILL");
  for (const asked of [id, "waits@mail.example.com"]) {
    const alone = await inspectWith(environment, ["trace", asked]);
    assert.equal(alone.status, 0, alone.err);
    assert.match(
      alone.err,
      /^no relay answers on http:\/\/127\.0\.0\.1:\d+ \(ECONNREFUSED\): this is what its spool holds\n$/,
    );
    assertLines(alone.out, [new RegExp(`^${id} from example\\.com: \\d+ octets\n  accepted \\S+Z\n`), inSpool]);
  }

  await stage.restart();
  assertLines((await trace(stage, "<waits@mail.example.com>")).out, [new RegExp(`^${id} from example\\.com`)]);
  isOpen = true;
  await stage.hop.waitForMails(1);
  const line = await stage.relay.program.waitForLog("delivered");
  const after = await trace(stage, id);
  assertLines(after.out, [
    /accepted \S+Z \(the relay that tells this started later/,
    new RegExp(`delivered  2 recipients at later\\.example, attempt ${String(line.fields["attempt"])}`),
    /nothing of it is left in the spool/,
  ]);
});

test("an unknown id ends with status 1 and says where else to look; wrong usage ends with 2", async (t) => {
  const stage = await openStage(t, { file: import.meta.url, name: "unknown" });
  const unknown = await trace(stage, "0mnothing");
  assert.deepEqual([unknown.status, unknown.out], [1, ""]);
  assertLines(unknown.err, [
    /nothing is known of 0mnothing here: the relay, started \S+Z, does not remember it/,
    /not in the spool in .*other pods/s,
    /mailboat\.spool\.id/,
  ]);
  const byMessageId = await trace(stage, "nobody@example.com");
  assert.equal(byMessageId.status, 1);
  assert.match(byMessageId.err, /Logs and traces do not have Message-IDs/);
  const json = await trace(stage, "0mnothing", "--json");
  assert.equal(json.status, 1);
  assert.deepEqual((JSON.parse(json.out) as { readonly stories: unknown }).stories, []);

  const wrong: readonly (readonly [args: readonly string[], words: RegExp])[] = [
    [[], /usage: node relay\/main\.ts run \| spool \| trace/],
    [["trance"], /usage/],
    [["trace"], /trace takes one spool id or Message-ID/],
    [["trace", "a", "b"], /trace takes one/],
    [["trace", "a", "--port", "none"], /--port must be a number from 1 to 65535/],
    [["trace", "a", "--colour"], /--colour/],
    [["spool", "--limit", "0"], /--limit must be a number from 1 to 10000/],
    [["spool", "today"], /spool takes no today/],
  ];
  for (const [args, words] of wrong) {
    const { status, out, err } = await inspectWith(besideRelay(stage.relay), args);
    assert.deepEqual([status, out], [2, ""], args.join(" "));
    assert.match(err, words);
    assert.match(err, /trace ID/);
  }
  const nowhere = await inspectWith({}, ["spool", "--directory", join(stage.directory, "nowhere")]);
  assert.equal(nowhere.status, 1);
  assert.match(nowhere.err, /^relay: there is no spool in .*nowhere: name the right one with --directory\n$/);
});
