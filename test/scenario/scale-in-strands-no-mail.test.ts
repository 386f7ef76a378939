/** Pods that are scaled away hand their mail to those that stay and take their volumes along; nothing is lost or sent twice. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { parse } from "yaml";
import { z } from "zod";
import { mailRelayStatus, type MailRelayStatus } from "../../api/mailrelay.ts";
import { flood, type FloodLedger, reconcile } from "../support/flood.ts";
import { LocalMode, localManifests } from "../support/local.ts";
import { NextHop, type ReceivedMail } from "../support/nexthop.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { openSession, type WireClient } from "../support/send.ts";
import { sender, simpleMessage, subjectOf } from "../support/stage.ts";
import { until } from "../support/until.ts";

interface Scene {
  readonly local: LocalMode;
  readonly hop: NextHop;
  readonly status: () => MailRelayStatus | undefined;
  readonly reason: (type: string) => string | undefined;
  readonly scaleTo: (replicas: number) => void;
  /** Resolves when so many pods run, and no other. */
  readonly untilScaled: (replicas: number, deadlineMs?: number) => Promise<void>;
  readonly spoolOf: (ordinal: number) => string;
}

interface SceneSettings {
  readonly name: string;
  readonly replicas: number;
  readonly recipient: (address: string) => string | undefined;
}

async function open(t: TestContext, { name, replicas, recipient }: SceneSettings): Promise<Scene> {
  const hop = await NextHop.start({ recipient });
  t.after(() => hop.stop());
  const manifests = localManifests(hop.address);
  const relayWith = (count: number): string =>
    (manifests["relay.yaml"] ?? "").replace("spec:\n", `spec:\n  replicas: ${count}\n`);
  const directory = makeResultsDirectory(import.meta.url, name);
  const local = await LocalMode.start({ directory, manifests: { ...manifests, "relay.yaml": relayWith(replicas) } });
  t.after(async () => {
    await local.program.kill("SIGINT");
  });
  const status = (): MailRelayStatus | undefined => {
    const file = join(directory, "state/status/mailrelay/mail.outbound.yaml");
    if (!existsSync(file)) return undefined;
    return z.object({ status: mailRelayStatus }).safeParse(parse(readFileSync(file, "utf8"))).data?.status;
  };
  const reason = (type: string): string | undefined =>
    status()?.conditions?.find((entry) => entry.type === type)?.reason;
  const scene: Scene = {
    local,
    hop,
    status,
    reason,
    scaleTo: (count) => local.writeManifest("relay.yaml", relayWith(count)),
    untilScaled: async (count, deadlineMs = 60_000) => {
      const isThere = (): boolean =>
        reason("Draining") === "NotDraining" &&
        reason("Programmed") === "Programmed" &&
        status()?.replicas === count &&
        status()?.readyReplicas === count;
      await until(`${count} pods`, isThere, deadlineMs);
    },
    spoolOf: (ordinal) => join(directory, `state/pods/mail.outbound-${ordinal}/spool`),
  };
  await scene.untilScaled(replicas);
  return scene;
}

async function sendTo({ local }: Scene, ordinal: number, subject: string): Promise<void> {
  const client = await openSession({ name: "smtp", port: local.portOnFile(`mail.outbound-${ordinal}/smtp`) });
  assert.equal((await client.send(sender, ["someone@example.org"], simpleMessage(subject))).code, 250);
  client.destroy();
}

test("what a pod that leaves cannot deliver now waits in one that stays, and its volume is gone", async (t) => {
  const scene = await open(t, { name: "hand over", replicas: 2, recipient: () => "451 4.3.0 not now" });
  const { hop } = scene;
  await sendTo(scene, 1, "left behind");
  await until("the queue in status", () => scene.status()?.queued === 1);
  await until("a first attempt", () => hop.recipientCommands.length > 0);

  scene.scaleTo(1);
  await scene.untilScaled(1);
  await until("the volume's end", () => !existsSync(scene.spoolOf(1)));
  await until("the queue of the pod that stays", () => scene.status()?.queued === 1);
  assert.deepEqual([hop.mails.length, scene.status()?.retainedSpools], [0, undefined]);
  await scene.local.program.waitFor("a line of it", (line) => line === "mail.outbound-1 has left with an empty spool");

  hop.script = {};
  await hop.waitForMails(1);
  assert.equal(subjectOf(hop.mails[0]?.message ?? Buffer.alloc(0)), "left behind");
  await until("an empty queue", () => scene.status()?.queued === 0);
  assert.equal(hop.mails.length, 1);
});

/** A client in the middle of a message: its pod cannot say that nothing comes in any more. */
async function insideData({ local }: Scene, ordinal: number): Promise<WireClient> {
  const client = await openSession({ name: "smtp", port: local.portOnFile(`mail.outbound-${ordinal}/smtp`) });
  for (const line of [`MAIL FROM:<${sender}>`, "RCPT TO:<someone@example.org>"]) await client.command(line);
  assert.equal((await client.command("DATA")).code, 354);
  client.write(`From: ${sender}\r\nSubject: in the middle\r\n\r\nfirst line\r\n`);
  return client;
}

test("a pod that stays after all takes mail again", async (t) => {
  const scene = await open(t, { name: "stay", replicas: 2, recipient: () => "451 4.3.0 not now" });
  await sendTo(scene, 1, "before");
  const idle = await openSession({ name: "smtp", port: scene.local.portOnFile("mail.outbound-1/smtp") });
  const busy = await insideData(scene, 1);
  scene.scaleTo(1);
  assert.equal((await idle.reply()).code, 421);
  await until("a status that says so", () => scene.reason("Draining") === "HandingOver");
  assert.equal(scene.status()?.replicas, 2);
  scene.scaleTo(2);
  await scene.untilScaled(2);
  busy.write("last line\r\n.\r\n");
  assert.equal((await busy.reply()).code, 250);
  busy.destroy();
  await sendTo(scene, 1, "after");
  scene.hop.script = {};
  await scene.hop.waitForMails(3);
  assert.deepEqual(scene.hop.mails.map(({ message }) => subjectOf(message)).toSorted(), [
    "after",
    "before",
    "in the middle",
  ]);
});

test("what Ctrl-C interrupts goes on at the next start", async (t) => {
  const scene = await open(t, { name: "interrupted", replicas: 2, recipient: () => "451 4.3.0 not now" });
  await sendTo(scene, 1, "kept");
  const busy = await insideData(scene, 1);
  scene.scaleTo(1);
  await until("the order", () => scene.reason("Draining") !== "NotDraining");
  assert.equal(await scene.local.program.kill("SIGINT"), 0);
  busy.destroy();
  assert.ok(existsSync(scene.spoolOf(1)));
  await scene.local.startAgain();
  await scene.untilScaled(1);
  await until("the volume's end", () => !existsSync(scene.spoolOf(1)));
  scene.hop.script = {};
  await scene.hop.waitForMails(1);
  assert.equal(subjectOf(scene.hop.mails[0]?.message ?? Buffer.alloc(0)), "kept");
});

const addresses = { good: "good@example.org", later: "later@example.net", gone: "gone@example.com" } as const;

test("nothing is lost or sent twice while five pods become one and five again under load", async (t) => {
  const scene = await open(t, {
    name: "load",
    replicas: 5,
    recipient: (address) =>
      address === addresses.later
        ? "451 4.3.0 not now"
        : address === addresses.gone
          ? "550 5.1.1 nobody of this name"
          : undefined,
  });
  const { hop, local } = scene;
  let turn = 0;
  // As a Service would, but that it does not know which pods are there: who finds none tries the next.
  const port = (): number => local.portOnFile(`mail.outbound-${(turn += 1) % 5}/smtp`);
  let accepted = 0;
  const scaled: Promise<void>[] = [];
  const scaleInAndOut = async (): Promise<void> => {
    scene.scaleTo(1);
    await scene.untilScaled(1, 120_000);
    for (const ordinal of [1, 2, 3, 4]) {
      await until(`the end of volume ${ordinal}`, () => !existsSync(scene.spoolOf(ordinal)));
    }
    scene.scaleTo(5);
    await scene.untilScaled(5, 120_000);
  };
  const floods = Object.entries(addresses).map(([name, recipient]): Promise<FloodLedger> => {
    const onAccepted = (): void => {
      accepted += 1;
      if (accepted === 300) scaled.push(scaleInAndOut());
    };
    return flood({
      port,
      messages: name === "gone" ? 100 : 400,
      connections: 8,
      recipientOf: () => recipient,
      onAccepted,
    });
  });
  const [good, later, gone] = await Promise.all(floods);
  await Promise.all(scaled);
  assert.equal(scaled.length, 1);
  assert.ok(good !== undefined && later !== undefined && gone !== undefined);

  const of = (recipient: string): readonly ReceivedMail[] =>
    hop.mails.filter((mail) => mail.recipients.includes(recipient));
  assert.deepEqual(of(addresses.later), []);
  await until("all that can be delivered", () => reconcile(good, of(addresses.good)).lost.length === 0, 60_000);
  await until("a notice of each that cannot", () => of(sender).length >= gone.accepted.size, 60_000);
  await until("the queue of the rest", () => scene.status()?.queued === later.accepted.size, 60_000);
  hop.script = { recipient: (address) => (address === addresses.gone ? "550 5.1.1 nobody of this name" : undefined) };
  await until("the rest", () => reconcile(later, of(addresses.later)).lost.length === 0, 60_000);
  await until("an empty queue", () => scene.status()?.queued === 0, 60_000);
  t.diagnostic(`${good.sent.size + later.sent.size + gone.sent.size} sent, ${accepted} accepted`);
  assert.deepEqual(
    [reconcile(good, of(addresses.good)), reconcile(later, of(addresses.later)), of(sender).length],
    [{ lost: [], duplicates: 0 }, { lost: [], duplicates: 0 }, gone.accepted.size],
  );
});
