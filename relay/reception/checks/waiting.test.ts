/** Sessions over the wire while a check waits: order, RSET, QUIT, a client that goes or half-closes, and a relay that leaves. */
import assert from "node:assert/strict";
import { Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { openBed, type Bed, type BedWish } from "../../../test/support/submission.ts";
import type { SmtpClient } from "../../../test/support/smtpclient.ts";
import { until } from "../../../test/support/until.ts";
import { refusal } from "../../mail/reply.ts";
import { noChecks, type Check, type Checks } from "./check.ts";
import { pass, verdictOf, type Verdict } from "./verdict.ts";

interface Asked<Question> {
  readonly question: Question;
  readonly signal: AbortSignal;
  answer(verdict: Verdict): void;
}

/** Answers when the test does. Its first question may have a deadline of its own, as who is to answer needs time for it. */
class Waiting<Question> implements Check<Question> {
  readonly name = "waiting";
  readonly asked: Asked<Question>[] = [];
  readonly #firstMs: number;
  readonly #expected: PromiseWithResolvers<Asked<Question>>[] = [];

  constructor(firstMs = 60_000) {
    this.#firstMs = firstMs;
  }

  get deadlineMs(): number {
    return this.asked.length === 1 ? this.#firstMs : 60_000;
  }

  judge(question: Question, { signal }: { readonly signal: AbortSignal }): Promise<Verdict> {
    const { promise, resolve } = Promise.withResolvers<Verdict>();
    const asked = { question, signal, answer: resolve };
    this.asked.push(asked);
    this.#expect(this.asked.length).resolve(asked);
    return promise;
  }

  /** The question that is asked as the `count`th. Nothing is polled: who does not wait for it to the end keeps no test running. */
  nth(count: number): Promise<Asked<Question>> {
    return this.#expect(count).promise;
  }

  #expect(count: number): PromiseWithResolvers<Asked<Question>> {
    return (this.#expected[count - 1] ??= Promise.withResolvers());
  }
}

async function bedWith(t: TestContext, checks: Partial<Checks>, wish: BedWish = {}): Promise<Bed> {
  const bed = await openBed(
    {
      listeners: [
        { name: "pods", tlsMode: "None", authentication: "Optional", trustedNetworks: ["127.0.0.1/32"] },
        { name: "smtp", tlsMode: "None", authentication: "Optional" },
      ],
      domains: { "example.com": { trustedNetworks: true } },
    },
    { ...wish, checks: { ...noChecks, ...checks } },
  );
  t.after(() => bed.close());
  return bed;
}

async function greeted(bed: Bed, halfOpen = false): Promise<SmtpClient> {
  const client = await bed.connect("pods", { halfOpen });
  assert.match(await client.reply(), /^220 /);
  await client.command("EHLO client.example");
  return client;
}

const codes = (reply: string): string => reply.split(" ").slice(0, 2).join(" ");
const replies = (client: SmtpClient, count: number): Promise<string[]> => {
  const all = Promise.all(Array.from({ length: count }, async () => codes(await client.reply())));
  // Who waits for them hears of it; a test that failed before does not.
  all.catch(() => undefined);
  return all;
};
const mail = "MAIL FROM:<a@example.com>\r\n";
const rcpt = "RCPT TO:<b@example.net>\r\n";
const message = "From: a@example.com\r\n\r\nx\r\n.\r\n";
const no = verdictOf("waiting", refusal(550, "5.7.1", "Not you"));

test("pipelined commands behind one that waits are answered in order, none of them before it", async (t) => {
  const [sender, recipient] = [new Waiting<unknown>(), new Waiting<unknown>()];
  const bed = await bedWith(t, { sender: [sender], recipient: [recipient] });
  const client = await greeted(bed);
  const waited = Array.from({ length: 5 }, async () => codes(await client.reply()));
  let answered = 0;
  for (const reply of waited)
    void reply.then(
      () => (answered += 1),
      () => undefined,
    );
  client.write(`${mail}${rcpt}RCPT TO:<c@example.net>\r\nDATA\r\n`);
  (await sender.nth(1)).answer(pass);
  (await recipient.nth(1)).answer(no);
  const second = await recipient.nth(2);
  assert.ok(answered <= 2, `${answered} replies`);
  second.answer(pass);
  await waited[3];
  client.write(message);
  assert.deepEqual(await Promise.all(waited), ["250 2.1.0", "550 5.7.1", "250 2.1.5", "354 End", "250 2.6.0"]);
  assert.deepEqual(
    bed.spool.kept[0]?.recipients.map(({ address }) => address),
    ["c@example.net"],
  );
  assert.deepEqual(bed.refusals, ["pods 550 5.7.1"]);
});

test("what came together behind an answer that was waited for leaves together", async (t) => {
  const sender = new Waiting<unknown>();
  const bed = await bedWith(t, { sender: [sender] });
  const client = await greeted(bed);
  const all = replies(client, 4);
  // How many packets that makes is for the network to say. Several replies at once are no `_write`; the client's commands are one.
  const single = t.mock.method(Socket.prototype, "_write");
  client.write(`${mail}${rcpt}RSET\r\nNOOP\r\n`);
  (await sender.nth(1)).answer(pass);
  assert.deepEqual(await all, ["250 2.1.0", "250 2.1.5", "250 2.0.0", "250 2.0.0"]);
  assert.equal(single.mock.callCount(), 1);
});

test("a recipient that is named twice is judged once, and taken twice", async (t) => {
  const recipient = new Waiting<unknown>();
  const bed = await bedWith(t, { recipient: [recipient] });
  const client = await greeted(bed);
  const all = replies(client, 3);
  client.write(`${mail}${rcpt}${rcpt}`);
  (await recipient.nth(1)).answer(pass);
  assert.deepEqual(await Promise.race([all, recipient.nth(2)]), ["250 2.1.0", "250 2.1.5", "250 2.1.5"]);
});

test("RSET behind a MAIL that waits is answered after it, and takes it back", async (t) => {
  const sender = new Waiting<unknown>();
  const bed = await bedWith(t, { sender: [sender] });
  const client = await greeted(bed);
  const all = replies(client, 3);
  client.write(`${mail}RSET\r\n${rcpt}`);
  (await sender.nth(1)).answer(pass);
  assert.deepEqual(await all, ["250 2.1.0", "250 2.0.0", "503 5.5.1"]);
  assert.equal(sender.asked.length, 1);
});

test("QUIT behind a command that waits ends the session after its answer", async (t) => {
  const recipient = new Waiting<unknown>();
  const bed = await bedWith(t, { recipient: [recipient] });
  const client = await greeted(bed);
  const all = replies(client, 3);
  client.write(`${mail}${rcpt}QUIT\r\n`);
  (await recipient.nth(1)).answer(pass);
  assert.deepEqual(await all, ["250 2.1.0", "250 2.1.5", "221 2.0.0"]);
  await client.closed;
});

test("a client that has closed its side still hears the answer, and everything behind it", async (t) => {
  const [sender, recipient, header] = [new Waiting<unknown>(), new Waiting<unknown>(), new Waiting<unknown>()];
  const bed = await bedWith(t, { sender: [sender], recipient: [recipient], header: [header] });
  const client = await greeted(bed, true);
  const all = replies(client, 5);
  client.end(`${mail}${rcpt}DATA\r\n${message}QUIT\r\n`);
  for (const check of [sender, recipient, header]) {
    const asked = await check.nth(1);
    assert.equal(asked.signal.aborted, false);
    asked.answer(pass);
  }
  assert.deepEqual(await all, ["250 2.1.0", "250 2.1.5", "354 End", "250 2.6.0", "221 2.0.0"]);
  assert.equal(bed.spool.kept.length, 1);
});

for (const where of ["sender", "recipient", "header"] as const) {
  test(`a client that goes while the check at its ${where} waits is waited for no more, and nothing is left`, async (t) => {
    const check = new Waiting<unknown>();
    const bed = await bedWith(t, { [where]: [check] });
    const client = await greeted(bed);
    client.write(`${mail}${rcpt}DATA\r\n${message}`);
    const asked = await check.nth(1);
    client.reset();
    await until("the check to hear of it", () => asked.signal.aborted);
    asked.answer(pass);
    await until("its place to be free", () => bed.connections() === 0);
    const next = await greeted(bed);
    assert.equal(codes(await next.command("NOOP")), "250 2.0.0");
    assert.equal(bed.spool.kept.length, 0);
    assert.equal(bed.spool.open.size, 0);
    // Nobody was refused: there was nobody.
    assert.deepEqual([bed.refusals, bed.silences], [[], []]);
  });
}

test("an answer that does not come in time is 451 4.3.0, counted, and the session goes on", async (t) => {
  const [sender, recipient, header] = [new Waiting<unknown>(5), new Waiting<unknown>(5), new Waiting<unknown>(5)];
  const bed = await bedWith(t, { sender: [sender], recipient: [recipient], header: [header] }, { logLevel: "info" });
  const client = await greeted(bed);
  assert.equal(codes(await client.command(mail.trim())), "451 4.3.0");
  const ok = async (check: Waiting<unknown>, count: number): Promise<void> => (await check.nth(count)).answer(pass);
  const second = client.command(mail.trim());
  await ok(sender, 2);
  assert.equal(codes(await second), "250 2.1.0");
  assert.equal(codes(await client.command(rcpt.trim())), "451 4.3.0");
  const third = client.command(rcpt.trim());
  await ok(recipient, 2);
  assert.equal(codes(await third), "250 2.1.5");
  assert.match(await client.command("DATA"), /^354 /);
  assert.equal(codes(await client.command(message.slice(0, -2))), "451 4.3.0");
  assert.equal(codes(await client.command("NOOP")), "250 2.0.0");
  assert.deepEqual(bed.silences, ["waiting overdue", "waiting overdue", "waiting overdue"]);
  assert.ok([sender, recipient, header].every(({ asked }) => asked[0]?.signal.aborted));
  assert.deepEqual([bed.spool.kept.length, bed.spool.open.size], [0, 0]);
  const lines = bed.lines.filter(({ msg }) => msg === "refused");
  assert.deepEqual(
    lines.map(({ check }) => check),
    ["waiting", "waiting", "waiting"],
  );
});

test("each MAIL, each RCPT and the content have their own time for checks, however long those before took together", async (t) => {
  // What each question takes, of the four minutes that all of one command have.
  const minutes = 2;
  let passed = 0;
  const now = performance.now.bind(performance);
  const slow = {
    name: "slow",
    deadlineMs: 300_000,
    judge: async (): Promise<Verdict> => {
      // More than a deadline needs that is over already.
      await pause(10);
      passed += minutes * 60_000;
      return pass;
    },
  };
  const bed = await bedWith(t, { sender: [slow], recipient: [slow], header: [slow, slow] });
  const client = await greeted(bed);
  t.mock.method(performance, "now", () => now() + passed);
  assert.equal(codes(await client.command(mail.trim())), "250 2.1.0");
  for (const name of ["b", "c", "d"])
    assert.equal(codes(await client.command(`RCPT TO:<${name}@example.net>`)), "250 2.1.5", name);
  assert.match(await client.command("DATA"), /^354 /);
  assert.equal(codes(await client.command(message.slice(0, -2))), "250 2.6.0");
  assert.equal(codes(await client.command(mail.trim())), "250 2.1.0");
  assert.deepEqual(bed.silences, []);
  assert.equal(bed.spool.kept[0]?.recipients.length, 3);
});

test("a relay that leaves says 421 to who waits for a check, and waits for none", async (t) => {
  const sender = new Waiting<unknown>();
  const bed = await bedWith(t, { sender: [sender] });
  const client = await greeted(bed);
  const reply = client.command(mail.trim());
  const asked = await sender.nth(1);
  bed.orders.give({ version: 1, peers: [] });
  assert.equal(codes(await reply), "421 4.3.2");
  await client.closed;
  assert.equal(asked.signal.aborted, true);
  assert.deepEqual(bed.refusals, ["pods 421 4.3.2"]);
});

test("a message whose header waits counts as on its way in, and is the last one of a relay that leaves", async (t) => {
  const header = new Waiting<unknown>();
  const bed = await bedWith(t, { header: [header] });
  const client = await greeted(bed);
  const all = replies(client, 5);
  client.write(`${mail}${rcpt}DATA\r\n${message}`);
  const asked = await header.nth(1);
  bed.orders.give({ version: 1, peers: [] });
  assert.equal(bed.gate.isShut(), false);
  asked.answer(pass);
  assert.deepEqual(await all, ["250 2.1.0", "250 2.1.5", "354 End", "250 2.6.0", "421 4.3.2"]);
  await until("the gate to shut", () => bed.gate.isShut());
  assert.equal(bed.spool.kept.length, 1);
});

test("who talks while its opening is judged has not talked too soon, if it need not have waited", async (t) => {
  const opening = new Waiting<unknown>();
  const bed = await bedWith(t, { connect: [opening] });
  const known = await bed.connect("pods");
  const stranger = await bed.connect("smtp");
  const heard = [replies(known, 3), replies(stranger, 1)];
  known.write("EHLO client.example\r\nNOOP\r\n");
  stranger.write("EHLO client.example\r\nNOOP\r\n");
  for (const count of [1, 2]) (await opening.nth(count)).answer(pass);
  assert.deepEqual(
    (await heard[0])?.map((reply) => reply.slice(0, 4)),
    ["220 ", "250-", "250 "],
  );
  assert.deepEqual(await heard[1], ["421 4.7.0"]);
  await stranger.closed;
});

test("a line that is no command is answered after the greeting, and from who must wait for it is talk too soon", async (t) => {
  const opening = new Waiting<unknown>();
  const bed = await bedWith(t, { connect: [opening] });
  const known = await bed.connect("pods");
  const stranger = await bed.connect("smtp");
  const heard = [replies(known, 3), replies(stranger, 1)];
  for (const client of [known, stranger]) client.write("NOOP\nNOOP\r\n");
  await until("both to have been asked about", () => opening.asked.length === 2);
  // What they sent has been read when this comes back.
  const third = await bed.connect("pods");
  third.write("NOOP\n");
  for (const count of [1, 2, 3]) (await opening.nth(count)).answer(pass);
  assert.deepEqual(await heard[0], ["220 relay.example.com", "500 5.5.2", "250 2.0.0"]);
  assert.deepEqual(await heard[1], ["421 4.7.0"]);
});

for (const [verdict, greeting] of [
  [no, "554 5.7.1"],
  [verdictOf("waiting", refusal(451, "4.7.1", "Later")), "421 4.7.1"],
] as const) {
  test(`an opening that is refused is greeted with ${greeting}, and the session is over`, async (t) => {
    const opening = new Waiting<unknown>();
    const bed = await bedWith(t, { connect: [opening] });
    const client = await bed.connect("pods");
    const reply = client.reply();
    client.write("EHLO client.example\r\n");
    (await opening.nth(1)).answer(verdict);
    assert.equal(codes(await reply), greeting);
    await client.closed;
  });
}

test("a client that goes while its opening is judged leaves its place", async (t) => {
  const opening = new Waiting<unknown>();
  const bed = await bedWith(t, { connect: [opening] });
  const client = await bed.connect("pods");
  const asked = await opening.nth(1);
  client.reset();
  await until("the check to hear of it", () => asked.signal.aborted);
  asked.answer(pass);
  await until("its place to be free", () => bed.connections() === 0);
  assert.deepEqual(bed.refusals, []);
});
