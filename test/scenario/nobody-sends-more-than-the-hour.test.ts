/** What a domain may send in an hour is all that arrives, though the relay is killed, and though it has two pods. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { relayReport, type RelayReport } from "../../api/relayreport.ts";
import { LocalMode, localManifests } from "../support/local.ts";
import { NextHop } from "../support/nexthop.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { ConnectionLost, openSession, type WireClient } from "../support/send.ts";
import { openStage, sender, simpleMessage, subjectOf } from "../support/stage.ts";
import { until } from "../support/until.ts";

/** Sends over one connection until something is refused or the connection is lost; resolves to the refusal, or to `lost`. */
async function sendUntilRefused(client: WireClient, onAccepted: () => void = () => undefined): Promise<string> {
  for (;;) {
    try {
      const { code, text } = await client.send(sender, ["someone@example.org"], simpleMessage(subjects.next()));
      if (code !== 250) return `${code} ${text}`;
      onAccepted();
    } catch (error) {
      if (error instanceof ConnectionLost) return "lost";
      throw error;
    }
  }
}

const subjects = {
  sent: 0,
  next(): string {
    this.sent += 1;
    return `message ${this.sent}`;
  },
};

test("a relay that is killed again and again grants no fresh hour", async (t) => {
  const messagesPerHour = 300;
  const atOnce = 100;
  const began = Date.now();
  const stage = await openStage(t, {
    file: import.meta.url,
    domains: [{ domain: "example.com", limits: { messagesPerHour } }],
  });
  const smtp = { name: "smtp", port: stage.relay.port("smtp") };
  let accepted = 0;
  for (const killAfter of [40, 80]) {
    const enough = Promise.withResolvers<void>();
    const clients = await Promise.all(Array.from({ length: 8 }, () => openSession(smtp)));
    const ends = clients.map((client) =>
      sendUntilRefused(client, () => {
        accepted += 1;
        if (accepted === killAfter) enough.resolve();
      }),
    );
    await enough.promise;
    assert.equal(await stage.relay.program.kill("SIGKILL"), "SIGKILL");
    assert.deepEqual(new Set(await Promise.all(ends)), new Set(["lost"]));
    await stage.restart();
  }
  const last = await openSession(smtp);
  const end = await sendUntilRefused(last, () => (accepted += 1));
  last.destroy();
  assert.match(
    end,
    /^450 4\.7\.1 example\.com .* 300 messages an hour \(spec\.limits\.messagesPerHour\); try again in \d+ s$/,
  );
  await until("an empty spool", async () => (await stage.relay.status()).spool.queuedRecipients === 0, 30_000);
  const arrived = new Set(stage.hop.mails.map((mail) => subjectOf(mail.message))).size;
  const back = ((Date.now() - began) / 3_600_000) * messagesPerHour;
  t.diagnostic(`${accepted} accepted, ${arrived} arrived, ${atOnce + back} allowed`);
  assert.ok(arrived >= accepted);
  assert.ok(arrived <= atOnce + back, `${arrived} arrived`);
  // What was kept and not answered when it was killed is used up, too.
  assert.ok(accepted >= atOnce - 2 * 8, `${accepted} accepted`);
  assert.match(
    await stage.relay.metrics(),
    /^mailboat_submission_quota_refusals_total\{domain="example\.com",scope="Domain",limit="messages"\} [1-9]/m,
  );
});

test("of two pods the busy one gets what the other leaves, and both together send no more than one", async (t) => {
  const messagesPerHour = 3_600;
  const atOnce = 360;
  const hop = await NextHop.start();
  t.after(() => hop.stop());
  const manifests = localManifests(hop.address);
  const local = await LocalMode.start({
    directory: makeResultsDirectory(import.meta.url, "two pods"),
    manifests: {
      "relay.yaml": (manifests["relay.yaml"] ?? "").replace("spec:\n", "spec:\n  replicas: 2\n"),
      "domain.yaml": (manifests["domain.yaml"] ?? "").replace(
        "spec:\n",
        `spec:\n  limits: {messagesPerHour: ${messagesPerHour}}\n`,
      ),
    },
  });
  t.after(async () => {
    await local.program.kill("SIGINT");
  });
  const report = async (ordinal: number): Promise<RelayReport | undefined> => {
    try {
      const response = await fetch(`http://127.0.0.1:${local.portOnFile(`mail.outbound-${ordinal}/http`)}/status`);
      return relayReport.parse(await response.json());
    } catch {
      return undefined;
    }
  };
  const share = async (ordinal: number): Promise<number | undefined> =>
    (await report(ordinal))?.quotas?.find(({ key }) => key === "domain example.com")?.share;
  const areDivided = async (): Promise<boolean> => {
    const reports = await Promise.all([report(0), report(1)]);
    return reports.every((each) => each?.quotas !== undefined && each.revision !== undefined);
  };
  await until("two pods that count", areDivided, 30_000);
  const began = Date.now();
  let accepted = 0;
  const sendTo = async (ordinal: number): Promise<number> => {
    const before = accepted;
    const client = await openSession({ name: "smtp", port: local.portOnFile(`mail.outbound-${ordinal}/smtp`) });
    assert.match(await sendUntilRefused(client, () => (accepted += 1)), /^450 4\.7\.1 example\.com /);
    client.destroy();
    return accepted - before;
  };
  const back = (): number => ((Date.now() - began) / 3_600_000) * messagesPerHour;
  const half = await sendTo(0);
  assert.ok(half >= atOnce / 2 && half <= atOnce / 2 + back() / 2 + 1, `${half} by the first pod`);
  await until("nine tenths for the busy pod", async () => ((await share(0)) ?? 0) > 0.9, 30_000);
  assert.equal(await share(1), 0.05);
  const least = await sendTo(1);
  assert.ok(least <= atOnce / 20 + back() + 1, `${least} by the second pod`);
  // Nineteen twentieths of what comes back is more than the half that the first pod began with.
  await until("more for the busy pod", async () => (await sendTo(0)) > 0, 10_000);
  await hop.waitUntil("every accepted message", () => hop.mails.length >= accepted, 30_000);
  t.diagnostic(`${half} and ${least} at first, ${accepted} in all, ${atOnce + back()} allowed`);
  assert.ok(hop.mails.length <= atOnce + back() + 2, `${hop.mails.length} arrived`);
});
