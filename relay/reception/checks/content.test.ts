/** Checks of content over the wire: they see what the spool is given, at their pace, and their verdicts come before anything is kept. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Answer } from "../../../runtime/answer.ts";
import { openBed, type Bed } from "../../../test/support/submission.ts";
import type { SmtpClient } from "../../../test/support/smtpclient.ts";
import { until } from "../../../test/support/until.ts";
import { RelaxedBodyHash } from "../../mail/bodyhash.ts";
import { refusal } from "../../mail/reply.ts";
import { noChecks, type ContentCheck, type MessageQuestion, type Checks } from "./check.ts";
import { pass, verdictOf, type Verdict } from "./verdict.ts";

/** Keeps what it sees; says what it is told to. */
class Witness implements ContentCheck {
  readonly name: string;
  readonly deadlineMs: number;
  readonly seen: Buffer[] = [];
  question: MessageQuestion | undefined;
  signal: AbortSignal | undefined;
  verdictsAsked = 0;
  patience: (chunk: Buffer) => Answer<void> = () => undefined;
  says: () => Answer<Verdict> = () => pass;

  constructor(name: string, deadlineMs = 60_000) {
    this.name = name;
    this.deadlineMs = deadlineMs;
  }

  begin(question: MessageQuestion, { signal }: { readonly signal: AbortSignal }): ReturnType<ContentCheck["begin"]> {
    this.question = question;
    this.signal = signal;
    return {
      write: (chunk) => {
        this.seen.push(Buffer.from(chunk));
        return this.patience(chunk);
      },
      verdict: () => {
        this.verdictsAsked += 1;
        return this.says();
      },
    };
  }
}

async function bedWith(t: TestContext, checks: Partial<Checks>): Promise<Bed> {
  const loopback = ["127.0.0.0/8"];
  const bed = await openBed(
    {
      listeners: [{ name: "pods", tlsMode: "None", authentication: "Optional", trustedNetworks: loopback }],
      limits: { messageSizeBytes: 100_000_000 },
      domains: { "example.com": { trustedNetworks: true } },
    },
    { checks: { ...noChecks, ...checks } },
  );
  t.after(() => bed.close());
  return bed;
}

async function session(bed: Bed): Promise<SmtpClient> {
  const client = await bed.connect("pods");
  await client.reply();
  await client.command("EHLO client.example");
  return client;
}

const send = (client: SmtpClient, message: string | Buffer): Promise<string> =>
  client.send("a@example.com", ["b@example.net"], message);
const codes = (reply: string): string => reply.split(" ").slice(0, 2).join(" ");
const fields = "From: a@example.com\r\nDate: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n";
const later = refusal(451, "4.7.1", "Later");
const never = refusal(550, "5.7.1", "Never");
const marking = (name: string): Verdict => ({ kind: "mark", fields: [{ name, value: `by ${name}` }] });
/** Nothing of it is in the spool, and the session goes on. */
async function assertNothingLeft(bed: Bed, client: SmtpClient): Promise<void> {
  assert.deepEqual([bed.spool.kept.length, bed.spool.open.size], [0, 0]);
  assert.equal(codes(await client.command("NOOP")), "250 2.0.0");
}

test("everybody is given the same octets of the body, once, and the header as it was sent", async (t) => {
  const [one, other] = [new Witness("one"), new Witness("other")];
  other.patience = async () => new Promise((resolve) => setImmediate(resolve));
  const bed = await bedWith(t, { content: [one, other] });
  const body = `${"line of text\r\n".repeat(50_000)}..dots\r\n`;
  assert.equal(codes(await send(await session(bed), `Bcc: c@example.net\r\n${fields}\r\n${body}`)), "250 2.6.0");
  const kept = bed.spool.kept[0] ?? assert.fail("nothing was kept");
  for (const witness of [one, other]) {
    const seen = Buffer.concat(witness.seen);
    assert.ok(kept.body.equals(seen));
    assert.ok(witness.seen.length > 3, "in pieces");
    const hash = new RelaxedBodyHash();
    hash.update(seen);
    assert.equal(kept.message.bodyHash, hash.digest());
    assert.equal(witness.question?.header.bytes.toString(), `Bcc: c@example.net\r\n${fields}`);
    assert.equal(witness.question.admission.domain, "example.com");
    assert.equal(witness.verdictsAsked, 1);
  }
});

test("one that takes its time holds the client up, not the octets", async (t) => {
  const slow = new Witness("slow");
  const gate = Promise.withResolvers<void>();
  slow.patience = () => gate.promise;
  const bed = await bedWith(t, { content: [slow] });
  const client = await session(bed);
  const size = 48 * 1024 * 1024;
  const sent = send(client, Buffer.concat([Buffer.from(`${fields}\r\n`), Buffer.alloc(size, "0123456789\r\n")]));
  await until("the first octets", () => slow.seen.length > 0);
  const watcher = await session(bed);
  for (let count = 0; count < 100; count += 1) await watcher.command("NOOP");
  assert.equal(slow.seen.length, 1);
  assert.ok(client.unsent > 0);
  slow.patience = () => undefined;
  gate.resolve();
  assert.equal(codes(await sent), "250 2.6.0");
  assert.equal(bed.spool.kept[0]?.body.length, size + 2);
});

test("marks of all checks stand on top of the message, in order", async (t) => {
  const check = (name: string) => ({ name, deadlineMs: 1000, judge: async () => marking(name) });
  const content = ["X-Four", "X-Five"].map((name) => new Witness(name));
  for (const witness of content) witness.says = async () => marking(witness.name);
  const bed = await bedWith(t, {
    connect: [check("X-Zero")],
    sender: [check("X-One")],
    recipient: [check("X-Two")],
    header: [check("X-Three")],
    content,
  });
  const client = await session(bed);
  // Of a transaction that was given up nothing stays.
  for (const line of ["MAIL FROM:<a@example.com>", "RCPT TO:<c@example.net>", "RSET"]) await client.command(line);
  for (const count of [0, 1]) {
    assert.equal(codes(await send(client, `${fields}\r\nx`)), "250 2.6.0");
    const lines = bed.spool.kept[count]?.message.header.toString().split("\r\n") ?? [];
    const names = ["X-Zero", "X-One", "X-Two", "X-Three", "X-Four", "X-Five"];
    assert.deepEqual(
      lines.slice(0, 6),
      names.map((name) => `${name}: by ${name}`),
    );
    assert.match(lines[6] ?? "", /^Received: from client\.example /);
  }
});

for (const [name, verdicts, reply] of [
  ["a refusal", [verdictOf("one", never), pass], "550 5.7.1 Never"],
  ["a deferral", [marking("X"), verdictOf("other", later)], "451 4.7.1 Later"],
  ["a deferral and a refusal", [verdictOf("one", later), verdictOf("other", never)], "550 5.7.1 Never"],
] as const) {
  test(`a message with ${name} is answered so, and leaves nothing in the spool`, async (t) => {
    const content = [new Witness("one"), new Witness("other")];
    content.forEach((witness, index) => {
      witness.says = () => Promise.resolve(verdicts[index] ?? pass);
    });
    const bed = await bedWith(t, { content });
    const client = await session(bed);
    assert.equal(await send(client, `${fields}\r\n${"y".repeat(300_000)}`), reply);
    await assertNothingLeft(bed, client);
  });
}

test("one that stalls while the body comes is overdue: 451, it sees nothing more, and stops nobody else", async (t) => {
  const [stalling, other] = [new Witness("stalling", 20), new Witness("other")];
  stalling.patience = () => new Promise(() => undefined);
  const bed = await bedWith(t, { content: [stalling, other] });
  const client = await session(bed);
  const body = "line of text\r\n".repeat(50_000);
  assert.equal(codes(await send(client, `${fields}\r\n${body}`)), "451 4.3.0");
  assert.deepEqual(bed.silences, ["stalling overdue"]);
  assert.deepEqual([stalling.seen.length, stalling.verdictsAsked, stalling.signal?.aborted], [1, 0, true]);
  assert.equal(Buffer.concat(other.seen).length, body.length + 2);
  await assertNothingLeft(bed, client);
});

test("one that fails at any time is 451", async (t) => {
  const broken = (): never => {
    throw new Error("broken");
  };
  const [atBegin, atWrite, atVerdict] = [new Witness("begin"), new Witness("write"), new Witness("verdict")];
  atBegin.begin = broken;
  atWrite.patience = broken;
  atVerdict.says = () => Promise.reject(new Error("broken"));
  for (const witness of [atBegin, atWrite, atVerdict]) {
    const bed = await bedWith(t, { content: [witness] });
    const client = await session(bed);
    assert.equal(codes(await send(client, `${fields}\r\nx`)), "451 4.3.0");
    assert.deepEqual(bed.silences, [`${witness.name} failed`]);
    await assertNothingLeft(bed, client);
  }
});

test("a message that is refused for another reason is looked at no more, and nobody asks for a verdict", async (t) => {
  const witness = new Witness("one");
  const bed = await bedWith(t, { content: [witness] });
  const client = await session(bed);
  assert.equal(codes(await send(client, `${fields}\r\nfine\r\n${"y".repeat(200_000)}\r\nbare\nline`)), "550 5.6.0");
  assert.deepEqual([witness.verdictsAsked, witness.signal?.aborted], [0, true]);
  await assertNothingLeft(bed, client);
});

test("a client that goes while the verdict is waited for is not kept a message of", async (t) => {
  const witness = new Witness("one");
  witness.says = () => new Promise(() => undefined);
  const bed = await bedWith(t, { content: [witness] });
  const client = await session(bed);
  const lost = assert.rejects(send(client, `${fields}\r\nx`));
  await until("the verdict to be asked for", () => witness.verdictsAsked === 1);
  client.reset();
  await lost;
  await until("its place to be free", () => bed.connections() === 0);
  await until("its octets to be thrown away", () => bed.spool.open.size === 0);
  assert.equal(witness.signal?.aborted, true);
  assert.deepEqual([bed.spool.kept.length, bed.refusals], [0, []]);
});

test("a check that has no business with a message is not asked for a verdict", async (t) => {
  const witness = new Witness("one");
  witness.begin = () => undefined;
  witness.says = () => verdictOf("one", never);
  const bed = await bedWith(t, { content: [witness] });
  assert.equal(codes(await send(await session(bed), `${fields}\r\nx`)), "250 2.6.0");
});
