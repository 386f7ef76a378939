/**
 * Fifteen minutes of relays in trouble, and of one without: each a real relay program whose clock runs sixty times as fast, scraped
 * every fifteen seconds of it. Prometheus' own engine judges the chart's rules, as they are, on what was scraped; a Prometheus that
 * has it says what Fleet's figures are at the end, and Fleet is drawn from it.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { stringify } from "yaml";
import { ruleGroups } from "../../charts/alerts/rules.ts";
import type { RelayPlan } from "../support/configuration.ts";
import { type Picture, pictureOf } from "../support/dashboards/picture.ts";
import { PrometheusReader } from "../support/dashboards/reader.ts";
import { fastTime } from "../support/fasttime.ts";
import type { Script } from "../support/nexthop.ts";
import { Prometheus } from "../support/prometheus.ts";
import { makeResultsDirectory, repositoryRoot } from "../support/results.ts";
import { Samples, writeBlocks } from "../support/samples.ts";
import { WireClient } from "../support/send.ts";
import { openStage, simpleMessage, type Stage } from "../support/stage.ts";
import { lacking } from "../support/tools.ts";

const run = promisify(execFile);
const skip = lacking("prometheus", "promtool");
const rulesFile = join(repositoryRoot, "charts/mailboat/alerts/rules.yaml");

const factor = 60;
const scrapeSeconds = 15;
const minutes = 15;
/** A message that is on its way when the machine halts for a second is a minute old here: none is when it ends. */
const sendingMinutes = minutes - 1;
const scrapes = (minutes * 60) / scrapeSeconds;
const tickMs = (scrapeSeconds * 1_000) / factor;
/** Of a manifest that says nothing. */
const retry = { firstMs: 60_000, maxMs: 14_400_000, expireAfterMs: 432_000_000, notifyDelayAfterMs: 14_400_000 };

interface Trouble {
  readonly script?: Script;
  readonly plan?: Partial<RelayPlan>;
  /** What happens in the middle, after so many minutes. */
  readonly blow?: { readonly after: number; readonly act: (stage: Stage) => Promise<unknown> };
  /** Minutes for which clients send a message every ten seconds, when it is not sendingMinutes. */
  readonly sending?: number;
  /** Alerts that are firing at the end, and by which minute the first of them must be. */
  readonly alerts: readonly string[];
  readonly firstBy?: { readonly alert: string; readonly minute: number };
  /** Colours of the figures of Fleet at the end, by `judged`; text is no value. */
  readonly fleet: readonly ("green" | "orange" | "red" | "text")[];
}

const burning = ["MailboatMailStuck", "MailboatSlowDelivery", "MailboatDestinationFailing"];

const troubles: Readonly<Record<string, Trouble>> = {
  healthy: { alerts: [], fleet: ["green", "green", "green", "green", "green"] },
  // Within ten minutes of its end.
  deadsmarthost: {
    blow: { after: 2, act: async ({ hop }) => hop.stop() },
    alerts: burning,
    firstBy: { alert: "MailboatMailStuck", minute: 12 },
    fleet: ["red", "orange", "orange", "green", "green"],
  },
  // Nobody sends any more when the first messages become late: that is no end of it.
  putoff: {
    script: { recipient: () => "451 4.2.0 not now" },
    sending: 4,
    alerts: ["MailboatMailStuck", "MailboatNothingDelivered", "MailboatDestinationFailing"],
    firstBy: { alert: "MailboatMailStuck", minute: 10 },
    fleet: ["red", "orange", "orange", "green", "green"],
  },
  keyless: {
    plan: { domains: [{ domain: "example.com", keys: [] }] },
    alerts: ["MailboatDomainsUnsigned", "MailboatRefusing"],
    // What was never taken is not late: no share of it is good either, or bad.
    fleet: ["text", "green", "green", "red", "green"],
  },
  fulldisk: {
    plan: { capacityBytes: 4_096 },
    alerts: ["MailboatSpoolNearlyFull", "MailboatRefusing"],
    firstBy: { alert: "MailboatSpoolNearlyFull", minute: 6 },
    fleet: ["text", "green", "green", "red", "green"],
  },
  podgone: {
    blow: { after: 3, act: async ({ relay }) => relay.program.kill("SIGKILL") },
    alerts: ["MailboatPodNotAnswering"],
    firstBy: { alert: "MailboatPodNotAnswering", minute: 10 },
    // The share is that of the hour, and nobody knows what waits.
    fleet: ["green", "text", "text", "text", "red"],
  },
};

interface Observed {
  readonly trouble: Trouble;
  readonly name: string;
  readonly samples: Samples;
}

/** `beginsAt` in ms since the epoch. */
async function observe(t: TestContext, beginsAt: number): Promise<readonly Observed[]> {
  const stages = await Promise.all(
    Object.entries(troubles).map(async ([name, trouble]) => {
      const stage = await openStage(t, {
        file: import.meta.url,
        name,
        ...(trouble.script === undefined ? {} : { script: trouble.script }),
        plan: { retry, ...trouble.plan },
        relay: { env: fastTime({ beginsAt, factor }) },
      });
      const labels = { namespace: "mail", mailboat_dev_relay: name, instance: `${name}-0`, job: `mail/${name}` };
      return { name, trouble, stage, samples: new Samples(labels) };
    }),
  );
  for (const { stage } of stages) process.kill(stage.relay.program.pid, "SIGUSR2");
  const startedAt = performance.now();
  const clients = stages.map(async ({ stage, trouble }) =>
    sendAll(stage, trouble.sending ?? sendingMinutes, startedAt),
  );
  for (let scrape = 0; scrape <= scrapes; scrape += 1) {
    await pause(Math.max(0, startedAt + scrape * tickMs - performance.now()));
    await Promise.all(
      stages.map(async ({ stage, trouble, samples }) => {
        samples.add(await pageOf(stage));
        if (trouble.blow !== undefined && scrape * scrapeSeconds === trouble.blow.after * 60)
          await trouble.blow.act(stage);
      }),
    );
  }
  await Promise.all(clients);
  return stages;
}

async function pageOf(stage: Stage): Promise<string | undefined> {
  try {
    return await stage.relay.metrics();
  } catch {
    return undefined;
  }
}

/** Whatever the answer is; a client that is gone comes again. */
async function sendAll({ relay }: Stage, forMinutes: number, startedAt: number): Promise<void> {
  let client: WireClient | undefined;
  const everyMs = 10_000 / factor;
  for (let sent = 0; sent * everyMs < (forMinutes * 60_000) / factor; sent += 1) {
    await pause(Math.max(0, startedAt + sent * everyMs - performance.now()));
    try {
      if (client === undefined || client.isClosed) {
        client = await WireClient.open(relay.port("smtp"));
        await client.hello();
      }
      await client.send("app@example.com", ["someone@example.org"], simpleMessage(`number ${sent}`));
    } catch {
      client?.destroy();
    }
  }
  client?.destroy();
}

/** promtool's test of one time: which alerts fire for a relay. */
function firingAt(minute: number, firing: readonly string[], named = ""): object {
  const matcher = named === "" ? "" : `, alertname="${named}"`;
  return {
    expr: `group by (alertname) (ALERTS{alertstate="firing"${matcher}})`,
    eval_time: `${minute}m`,
    exp_samples: firing.map((alertname) => ({ labels: `{alertname="${alertname}"}`, value: 1 })),
  };
}

/** An operator is in order beside all of them. */
const leader = {
  series: 'mailboat_operator_leader{namespace="mailboat-system", job="mailboat", instance="operator-0"}',
  values: `1x${scrapes}`,
};

const names: ReadonlySet<string> = new Set([
  "up",
  ...ruleGroups.flatMap(({ rules }) => rules).flatMap(({ expr }) => expr.match(/mailboat_(?!dev_relay)\w+/g) ?? []),
]);

test("mail that does not leave is seen", { skip, timeout: 180_000 }, async (t) => {
  // So that the end is now.
  const beginsAt = Date.now() - minutes * 60_000;
  const observed = await observe(t, beginsAt);
  await t.test("each trouble fires its alerts within fifteen minutes, and no trouble none", async (each) =>
    checkAlerts(each, observed, beginsAt / 1_000),
  );
  await t.test("Fleet shows what stands still", async (each) => checkFleet(each, observed, beginsAt / 1_000));
});

/** `beganAt` in seconds since the epoch, as below. */
async function checkAlerts(t: TestContext, observed: readonly Observed[], beganAt: number): Promise<void> {
  const tests = observed.map(({ name, trouble, samples }) => ({
    name,
    interval: `${scrapeSeconds}s`,
    input_series: [...samples.input(names, beganAt), leader],
    promql_expr_test: [
      firingAt(minutes, trouble.alerts),
      ...(trouble.firstBy === undefined
        ? []
        : [firingAt(trouble.firstBy.minute, [trouble.firstBy.alert], trouble.firstBy.alert)]),
    ],
  }));
  const file = join(makeResultsDirectory(import.meta.url, "promtool"), "tests.yaml");
  writeFileSync(file, stringify({ rule_files: [rulesFile], evaluation_interval: `${scrapeSeconds}s`, tests }));
  const { stdout } = await run("promtool", ["test", "rules", file]);
  t.diagnostic(stdout.trim());
}

/** What Fleet says of one relay, by what people ask. */
function figuresOf(relay: string): Readonly<Record<"withinFiveMinutes" | "oldestSeconds" | "overFiveMinutes", string>> {
  const chosen = `mailboat_dev_relay="${relay}"`;
  const [late, all] = [`${chosen}, result="late"`, chosen].map(
    (matchers) => `sum(rate(mailboat_spool_objective_messages_total{${matchers}}[1h]))`,
  );
  const oldest = `mailboat_spool_oldest_waiting_timestamp_seconds{${chosen}}`;
  return {
    withinFiveMinutes: `1 - ${late} / (${all} > 0)`,
    oldestSeconds: `max((time() - ${oldest}) * (${oldest} > bool 0))`,
    overFiveMinutes: `sum(mailboat_spool_waiting_messages{${chosen}, older_than="5m"})`,
  };
}

/** The first line of Fleet, as far as it judges. */
const judged = ["Within 5 minutes", "Oldest waiting", "Late now", "Refused for now", "Pods ready"] as const;

async function checkFleet(t: TestContext, observed: readonly Observed[], beganAt: number): Promise<void> {
  const directory = makeResultsDirectory(import.meta.url, "prometheus");
  await writeBlocks(
    join(directory, "data"),
    observed.map(({ samples }) => samples),
    (scrape) => beganAt + scrape * scrapeSeconds,
  );
  const prometheus = await Prometheus.start(directory, []);
  t.after(() => prometheus.stop());
  const reader = new PrometheusReader(prometheus.address);
  const endedAt = beganAt + minutes * 60;
  const told = async (relay: string): Promise<Readonly<Record<keyof ReturnType<typeof figuresOf>, number>>> => {
    const { withinFiveMinutes, oldestSeconds, overFiveMinutes } = figuresOf(relay);
    const value = async (expr: string): Promise<number> => (await reader.at(expr, endedAt))[0]?.value ?? Number.NaN;
    return {
      withinFiveMinutes: await value(withinFiveMinutes),
      oldestSeconds: await value(oldestSeconds),
      overFiveMinutes: await value(overFiveMinutes),
    };
  };
  const healthy = await told("healthy");
  assert.deepEqual([healthy.withinFiveMinutes, healthy.overFiveMinutes], [1, 0]);
  assert.ok(healthy.oldestSeconds < 60, `${healthy.oldestSeconds} s`);
  const dead = await told("deadsmarthost");
  // Of 13 minutes of messages 8 are late so far, beside those of 2 minutes that went.
  assert.ok(dead.withinFiveMinutes < 0.35, `${dead.withinFiveMinutes}`);
  assert.ok(dead.oldestSeconds > 12 * 60, `${dead.oldestSeconds} s`);
  assert.ok(dead.overFiveMinutes > 30, `${dead.overFiveMinutes}`);
  const putOff = await told("putoff");
  assert.equal(putOff.withinFiveMinutes, 0);
  assert.ok(putOff.oldestSeconds > 14 * 60 && putOff.overFiveMinutes > 20, JSON.stringify(putOff));
  const pictures = join(directory, "pictures");
  mkdirSync(pictures, { recursive: true });
  const draw = async (uid: string, chosen: Readonly<Record<string, string>>): Promise<Picture> =>
    pictureOf({ uid, prometheus: prometheus.address, until: endedAt, seconds: minutes * 60, chosen });
  for (const { name, trouble } of observed) {
    const picture = await draw("mailboat-fleet", { relay: name });
    writeFileSync(join(pictures, `${name}.svg`), picture.svg);
    const colours = judged.map((title) => picture.figure(title).colour);
    assert.deepEqual(
      colours,
      trouble.fleet,
      `${name}: ${judged.map((title) => picture.figure(title).text).join(", ")}`,
    );
  }
  const relay = await draw("mailboat-relay", { namespace: "mail", relay: "deadsmarthost" });
  const [late, others] = relay.rows("Late mail by sender domain");
  assert.equal(late?.["Sender domain"], "example.com");
  assert.match(late["Oldest"] ?? "", /^1[23](?:\.\d+)? mins$/);
  assert.equal(late["Late"], String(dead.overFiveMinutes));
  assert.deepEqual(others, { "Sender domain": "(other)", Oldest: "", Late: "0" });
}
