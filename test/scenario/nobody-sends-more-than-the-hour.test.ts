/** What a domain may send in an hour is all that arrives, though the relay is killed, and though it has two pods. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
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

const hour = { messagesPerHour: 3_600, atOnce: 360 };

/** Local mode with a relay of two pods and a domain with limits, and where its mail goes. */
class TwoPods {
  readonly hop: NextHop;
  readonly local: LocalMode;
  readonly #relay: string;

  private constructor(hop: NextHop, local: LocalMode, relay: string) {
    this.hop = hop;
    this.local = local;
    this.#relay = relay;
  }

  /** Resolves when both count, each its half. */
  static async start(t: TestContext, name: string): Promise<TwoPods> {
    const hop = await NextHop.start();
    t.after(() => hop.stop());
    const { "relay.yaml": relay = "", "domain.yaml": domain = "" } = localManifests(hop.address);
    const two = relay.replace("spec:\n", "spec:\n  replicas: 2\n");
    const limits = `  limits: {messagesPerHour: ${hour.messagesPerHour}}\n`;
    const local = await LocalMode.start({
      directory: makeResultsDirectory(import.meta.url, name),
      manifests: { "relay.yaml": two, "domain.yaml": domain.replace("spec:\n", `spec:\n${limits}`) },
    });
    t.after(async () => {
      await local.program.kill("SIGINT");
    });
    const pods = new TwoPods(hop, local, two);
    await pods.untilCounting();
    return pods;
  }

  async untilCounting(): Promise<void> {
    const areDivided = async (): Promise<boolean> => {
      const reports = await Promise.all([this.#report(0), this.#report(1)]);
      return reports.every((each) => each?.quotas !== undefined && each.revision !== undefined);
    };
    await until("two pods that count", areDivided, 30_000);
  }

  async share(ordinal: number): Promise<number | undefined> {
    return (await this.#report(ordinal))?.quotas?.find(({ key }) => key === "domain example.com")?.share;
  }

  open(ordinal: number): Promise<WireClient> {
    return openSession({ name: "smtp", port: this.local.portOnFile(`mail.outbound-${ordinal}/smtp`) });
  }

  /** Another port is another template: every pod is replaced. */
  rollOut(): void {
    const more = "  listeners:\n    - {name: more, port: 2526, tlsMode: None, authentication: Optional}\n";
    this.local.writeManifest("relay.yaml", this.#relay.replace("  listeners:\n", more));
  }

  async #report(ordinal: number): Promise<RelayReport | undefined> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.local.portOnFile(`mail.outbound-${ordinal}/http`)}/status`);
      return relayReport.parse(await response.json());
    } catch {
      return undefined;
    }
  }
}

test("of two pods the busy one gets what the other leaves, and both together send no more than one", async (t) => {
  const { messagesPerHour, atOnce } = hour;
  const pods = await TwoPods.start(t, "two pods");
  const { hop } = pods;
  const began = Date.now();
  let accepted = 0;
  const sendTo = async (ordinal: number): Promise<number> => {
    const before = accepted;
    const client = await pods.open(ordinal);
    assert.match(await sendUntilRefused(client, () => (accepted += 1)), /^450 4\.7\.1 example\.com /);
    client.destroy();
    return accepted - before;
  };
  const back = (): number => ((Date.now() - began) / 3_600_000) * messagesPerHour;
  const half = await sendTo(0);
  assert.ok(half >= atOnce / 2 && half <= atOnce / 2 + back() / 2 + 1, `${half} by the first pod`);
  await until("nine tenths for the busy pod", async () => ((await pods.share(0)) ?? 0) > 0.9, 30_000);
  assert.equal(await pods.share(1), 0.05);
  const least = await sendTo(1);
  assert.ok(least <= atOnce / 20 + back() + 1, `${least} by the second pod`);
  // Nineteen twentieths of what comes back is more than the half that the first pod began with.
  await until("more for the busy pod", async () => (await sendTo(0)) > 0, 10_000);
  await hop.waitUntil("every accepted message", () => hop.mails.length >= accepted, 30_000);
  t.diagnostic(`${half} and ${least} at first, ${accepted} in all, ${atOnce + back()} allowed`);
  assert.ok(hop.mails.length <= atOnce + back() + 2, `${hop.mails.length} arrived`);
});

/** Sends to one pod whatever it answers, and connects again whenever that is lost. */
class TirelessSender {
  accepted = 0;
  refusals = 0;
  readonly #stop = new AbortController();
  readonly #end: Promise<void>;

  constructor(pods: TwoPods, ordinal: number) {
    this.#end = this.#run(pods, ordinal);
  }

  async #run(pods: TwoPods, ordinal: number): Promise<void> {
    while (!this.#isStopped()) {
      // Nobody listens while it starts.
      const client = await pods.open(ordinal).catch(() => undefined);
      while (client !== undefined && !this.#isStopped()) {
        const end = await sendUntilRefused(client, () => (this.accepted += 1));
        if (!end.startsWith("450 4.7.1 example.com ")) break;
        this.refusals += 1;
        await pause(50);
      }
      client?.destroy();
      await pause(50);
    }
  }

  #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  async refusedAgain(): Promise<void> {
    const before = this.refusals;
    await until("another refusal", () => this.refusals > before, 30_000);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#end;
  }
}

test("through a kill -9 and a rollout two pods that are asked all the time send no more than one", async (t) => {
  const pods = await TwoPods.start(t, "replaced");
  const began = Date.now();
  const senders = [new TirelessSender(pods, 0), new TirelessSender(pods, 1)];
  const untilSettled = async (): Promise<void> => {
    await pods.untilCounting();
    await Promise.all(senders.map((each) => each.refusedAgain()));
    // A pod that is killed while it has leased its share away may add to the hour what the decision says.
    const isEven = async (): Promise<boolean> => (await pods.share(0)) === 0.5 && (await pods.share(1)) === 0.5;
    await until("even shares", isEven, 30_000);
  };
  await untilSettled();
  const ids = pods.local.relayIds();
  const [first = 0, second = 0] = ids;
  process.kill(first, "SIGKILL");
  await until("another process", () => pods.local.relayIds().filter((id) => !ids.includes(id)).length === 1);
  await untilSettled();
  const others = [second, ...pods.local.relayIds()];
  pods.rollOut();
  const isReplaced = (): boolean => pods.local.relayIds().filter((id) => !others.includes(id)).length === 2;
  await until("two other processes", isReplaced, 30_000);
  await untilSettled();
  for (const each of senders) await each.stop();
  const accepted = senders.reduce((sum, each) => sum + each.accepted, 0);
  const arrived = (): number => new Set(pods.hop.mails.map((mail) => subjectOf(mail.message))).size;
  await pods.hop.waitUntil("every accepted message", () => arrived() >= accepted, 30_000);
  const most = hour.atOnce + ((Date.now() - began) / 3_600_000) * hour.messagesPerHour + 2;
  t.diagnostic(`${accepted} accepted, ${arrived()} arrived, ${most} allowed`);
  assert.ok(arrived() <= most, `${arrived()} arrived`);
  assert.ok(accepted >= hour.atOnce, `${accepted} accepted`);
});
