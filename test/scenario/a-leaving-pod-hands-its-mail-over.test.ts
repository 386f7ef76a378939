/**
 * A pod that leaves gives its mail to a peer that stays: as it was, with its trace, and neither lost nor doubled when either of
 * the two is killed in the middle.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { openReader } from "../../relay/spool/local/reading/reader.ts";
import type { QueuedMessage } from "../../relay/spool/queue.ts";
import { besideRelay, inspectWith } from "../support/inspection.ts";
import type { RelayPlan } from "../support/configuration.ts";
import { InternalAuthority, orderDrain, type PeerFiles } from "../support/peers.ts";
import { RelayProgram } from "../support/relay.ts";
import { makeResultsDirectory, repositoryRoot } from "../support/results.ts";
import { openSession } from "../support/send.ts";
import { openStage, sender, simpleMessage, subjectOf, type Stage } from "../support/stage.ts";
import { until } from "../support/until.ts";

const notNow = "451 4.3.0 not now";
/** Nothing that was tried is due again within the test. */
const farRetry = { firstMs: 3_600_000, maxMs: 3_600_000, expireAfterMs: 36_000_000, notifyDelayAfterMs: 30_000_000 };
const env = { MAILBOAT_SPAN_LINES: "1" };
/** Every answer comes so late that a few deliveries are in flight for as long as the test looks, and the others wait. */
const slow = { delayMs: () => 3_000 };

interface Pods extends Stage {
  /** `relay` of the stage leaves, this one stays. */
  staying: RelayProgram;
  readonly operator: PeerFiles;
  restartStaying(): Promise<void>;
}

async function openPods(t: TestContext, name: string, plans: PodPlans = {}): Promise<Pods> {
  const authority = await InternalAuthority.make();
  const peer = await authority.relay();
  const stage = await openStage(t, {
    file: import.meta.url,
    name: `${name}-leaving`,
    plan: { peer, retry: farRetry, ...plans.both },
    relay: { env },
    script: { recipient: () => notNow },
  });
  const directory = makeResultsDirectory(import.meta.url, `${name}-staying`);
  const plan = { ...stage.plan, ...plans.staying };
  const start = async (ports: Readonly<Record<string, number>>): Promise<RelayProgram> =>
    RelayProgram.start({ directory, plan, ports, env });
  const pods: Pods = Object.assign(stage, {
    staying: await start({}),
    operator: await authority.operator(),
    async restartStaying() {
      pods.staying = await start({ admin: pods.staying.port("admin") });
    },
  });
  t.after(async () => {
    await pods.staying.program.kill("SIGKILL");
  });
  return pods;
}

interface PodPlans {
  readonly both?: Partial<RelayPlan>;
  readonly staying?: Partial<RelayPlan>;
}

async function orderToLeave({ relay, staying, operator }: Pods): Promise<void> {
  const peers = [{ name: "outbound-0", host: "127.0.0.1", port: staying.port("admin") }];
  const answer = await orderDrain(relay, operator, peers);
  assert.equal(answer.status, 200, answer.text);
}

async function send(relay: RelayProgram, messages: readonly Buffer[], to: readonly string[]): Promise<string[]> {
  const client = await openSession({ name: "smtp", port: relay.port("smtp") });
  const ids: string[] = [];
  for (const message of messages) {
    const reply = await client.send(sender, to, message);
    const id = /Message accepted as (\w+)/.exec(reply.text)?.[1];
    assert.ok(reply.code === 250 && id !== undefined, `${reply.code} ${reply.text}`);
    ids.push(id);
  }
  client.destroy();
  return ids;
}

async function queueOf(relay: RelayProgram): Promise<readonly QueuedMessage[]> {
  const reader = openReader(join(relay.directory, "spool"));
  try {
    return (await reader.oldest(10_000)).toSorted((a, b) => (a.id < b.id ? -1 : 1));
  } finally {
    await reader.close();
  }
}

async function untilLeft(relay: RelayProgram): Promise<void> {
  await until(
    "the proof of an empty spool",
    async () => {
      const { draining, spool } = await relay.status();
      return draining && spool.queuedMessages === 0;
    },
    90_000,
  );
}

/** Rows of the second table of lines in docs/logs.md. */
function documentedFields(msg: string): readonly string[] {
  const text = readFileSync(join(repositoryRoot, "docs/logs.md"), "utf8");
  const row = new RegExp(`^\\| \`${msg}\` +\\|[^|]*\\|[^|]*\\| ([^|]+) \\|$`, "m").exec(text)?.[1] ?? "";
  return [...row.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name);
}

test("mail goes over with its schedule, its attempts and its replies", async (t) => {
  const pods = await openPods(t, "whole");
  const { relay, hop } = pods;
  hop.script = { recipient: (address) => (address.startsWith("ready") ? undefined : notNow) };
  const large = simpleMessage("large", sender, `${"0123456789abcdef".repeat(64)}\r\n`.repeat(600));
  const small = Array.from({ length: 30 }, (_, number) => simpleMessage(`small ${number}`));
  await send(relay, [...small, large], ["busy@example.org"]);
  await send(relay, [simpleMessage("in parts")], ["ready@example.org", "busy@example.org", "busy.too@example.net"]);
  await until("a first attempt of each", () => relay.program.logs("deferred").length >= 33);
  const before = await queueOf(relay);
  assert.equal(before.length, 32);
  assert.ok(before.every(({ recipients }) => recipients.every(({ attempts }) => attempts === 1)));

  await orderToLeave(pods);
  await untilLeft(relay);
  assert.deepEqual((await relay.status()).drain, { handedOver: 32 });
  assert.deepEqual(await queueOf(pods.staying), before);
  assert.match(await relay.metrics(), /mailboat_handoff_messages_total\{direction="given",result="handed_over"\} 32/);
  assert.match(await pods.staying.metrics(), /mailboat_handoff_messages_total\{direction="taken",result="taken"\} 32/);
  for (const [program, msg] of [
    [relay.program, "handed over"],
    [pods.staying.program, "taken over"],
  ] as const) {
    const lines = program.logs(msg);
    assert.equal(lines.length, 32);
    for (const { fields } of lines) {
      const own = Object.keys(fields).filter((name) => !["level", "time", "program", "msg"].includes(name));
      assert.deepEqual(own.toSorted(), documentedFields(msg).toSorted(), msg);
      assert.doesNotMatch(JSON.stringify(fields), /@/);
    }
  }
});

test("what was not tried yet is delivered by the peer, in the same trace, and both tell the story", async (t) => {
  const pods = await openPods(t, "trace");
  const { relay, staying, hop } = pods;
  hop.script = slow;
  const messages = Array.from({ length: 30 }, (_, number) => simpleMessage(`fresh ${number}`));
  const ids = await send(relay, messages, ["someone@example.org"]);
  await orderToLeave(pods);
  await until("mail at the peer", async () => ((await relay.status()).drain?.handedOver ?? 0) >= 10);
  hop.script = {};
  await untilLeft(relay);
  await hop.waitForMails(30, 60_000);
  await until("an empty spool", async () => (await staying.status()).spool.queuedMessages === 0);
  assert.equal(new Set(hop.mails.map(({ message }) => subjectOf(message))).size, 30);

  const spanOf = (pod: RelayProgram, name: string, id: string): Readonly<Record<string, unknown>> | undefined =>
    pod.program
      .logs("span")
      .map(({ fields }) => fields)
      .find((span) => span["name"] === name && JSON.stringify(span["attributes"]).includes(id));
  const moved = ids.filter((id) => staying.program.logs("taken over").some(({ fields }) => fields["spoolId"] === id));
  assert.ok(moved.length >= 10, `only ${moved.length} were handed over`);
  // A span is written after what it tells of.
  await until("the spans of the deliveries", () => moved.every((id) => spanOf(staying, "mail.deliver", id)));
  for (const id of moved) {
    const trace = spanOf(relay, "smtp.receive", id)?.["traceId"];
    assert.ok(typeof trace === "string");
    const [given, taken] = [spanOf(relay, "mail.handoff", id), spanOf(staying, "mail.handoff", id)];
    assert.deepEqual([given?.["traceId"], given?.["kind"]], [trace, "CLIENT"]);
    assert.deepEqual([taken?.["traceId"], taken?.["kind"]], [trace, "SERVER"]);
    assert.equal(taken?.["parentSpanId"], given?.["spanId"]);
    assert.equal(spanOf(staying, "mail.deliver", id)?.["traceId"], trace);
    assert.equal(spanOf(staying, "mail.deliver", id)?.["parentSpanId"], spanOf(relay, "mail.spool", id)?.["spanId"]);
  }
  const [id = ""] = moved;
  const there = await inspectWith(besideRelay(staying), ["trace", id]);
  assert.match(there.out, /accepted \S+ \(by another pod: \S+ handed it over/);
  assert.match(there.out, /taken over +1 recipient from \S+/);
  assert.match(there.out, /delivered +1 recipient at example\.org, attempt 1/);
  const here = await inspectWith(besideRelay(relay), ["trace", id]);
  assert.match(here.out, /handed over +1 recipient to outbound-0/);
  assert.match(here.out, /nothing of it is left in the spool/);
});

test("neither a giver nor a taker that is killed in the middle loses a message or doubles one", async (t) => {
  const retry = { firstMs: 3_000, maxMs: 3_000, expireAfterMs: 36_000_000, notifyDelayAfterMs: 30_000_000 };
  const pods = await openPods(t, "killed", { both: { retry } });
  const { hop } = pods;
  const large = `${"0123456789abcdef".repeat(64)}\r\n`.repeat(300);
  const subjects = Array.from({ length: 600 }, (_, number) => `message ${number}`);
  const sending = Array.from({ length: 10 }, async (_, lane) => {
    const own = subjects.filter((_subject, number) => number % 10 === lane);
    const messages = own.map((subject, place) =>
      simpleMessage(subject, sender, place % 12 === 0 ? large : "small\r\n"),
    );
    await send(pods.relay, messages, ["someone@example.org"]);
  });
  await Promise.all(sending);
  await until("attempts", () => pods.relay.program.lines.some((line) => line.includes('"msg":"deferred"')));

  // While the peer has some and the pod still has most, each of them dies once; nothing is delivered before.
  const marks = (): number => {
    const database = new DatabaseSync(join(pods.relay.directory, "spool/spool.db"), { readOnly: true });
    const count = Number(database.prepare("SELECT count(*) AS n FROM offered").get()?.["n"]);
    database.close();
    return count;
  };
  const taken = (): number => pods.staying.program.lines.filter((line) => line.includes('"msg":"taken over"')).length;
  await orderToLeave(pods);
  await until("some messages at the peer", () => taken() >= 60);
  await pods.relay.program.kill("SIGKILL");
  assert.ok(marks() > 0, "the giver was not in the middle of anything");
  await pods.restart();
  await until("an answer about each offer", () => marks() === 0);
  const halfway = (await queueOf(pods.relay)).length + (await queueOf(pods.staying)).length;
  assert.equal(halfway, 600, "after the giver's death");

  await orderToLeave(pods);
  const before = taken();
  await until("some more messages at the peer", () => taken() >= before + 60);
  await pods.staying.program.kill("SIGKILL");
  assert.ok((await queueOf(pods.relay)).length > 0, "the taker was not in the middle of anything");
  await pods.restartStaying();
  await untilLeft(pods.relay);
  assert.equal((await queueOf(pods.staying)).length, 600, "after the taker's death");

  hop.script = {};
  await until("an empty spool", async () => (await pods.staying.status()).spool.queuedMessages === 0, 90_000);
  const arrived = hop.mails.map(({ message }) => subjectOf(message));
  assert.deepEqual(arrived.toSorted(), subjects.toSorted());
  const sizes = new Set(hop.mails.map(({ message }) => message.length > large.length));
  assert.deepEqual(sizes, new Set([true, false]));
});

test("a pod whose peers take nothing delivers by itself, and one that stays after all takes mail again", async (t) => {
  const pods = await openPods(t, "alone", { staying: { capacityBytes: 1 } });
  const { relay, staying, operator, hop } = pods;
  hop.script = slow;
  // More than are ever in flight, so that some always wait.
  const messages = (name: string): Buffer[] => Array.from({ length: 100 }, (_, at) => simpleMessage(`${name} ${at}`));
  await send(relay, messages("full peer"), ["someone@example.org"]);
  await orderToLeave(pods);
  await until("the peer's refusal", async () => /507/.test((await relay.status()).drain?.failure ?? ""));
  hop.script = {};
  await untilLeft(relay);
  assert.equal(hop.mails.length, 100);
  assert.equal((await staying.status()).spool.queuedMessages, 0);

  assert.equal((await orderDrain(relay, operator, undefined)).status, 200);
  hop.script = slow;
  await send(relay, messages("no peer"), ["someone@example.org"]);
  await staying.program.kill("SIGKILL");
  await orderToLeave(pods);
  await until("the attempt", async () => (await relay.status()).drain?.failure !== undefined);
  assert.equal((await orderDrain(relay, operator, undefined)).status, 200);
  hop.script = {};
  await send(relay, messages("taken back"), ["someone@example.org"]);
  await hop.waitForMails(300, 60_000);
  await until("an empty spool", async () => (await relay.status()).spool.queuedMessages === 0);
  assert.equal(new Set(hop.mails.map(({ message }) => subjectOf(message))).size, 300);
  assert.equal(hop.mails.length, 300);
});
