/**
 * A real Prometheus scrapes a real relay and a real operator on a real API server while a script sends mail that is taken,
 * put off, refused and bounced. Every expression of every panel must return something there, and what the script fixes must
 * be its number. Points on panels of latencies lead to traces that a real collector has. The dashboards are drawn from it;
 * MAILBOAT_PICTURES=<directory> asks for more traffic and keeps the pictures there (`make pictures`).
 */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { TestContext } from "node:test";
import { z } from "zod";
import { buildDashboard } from "../../charts/dashboards/dashboard.ts";
import { dashboards } from "../../charts/dashboards/dashboards.ts";
import { age } from "../../charts/dashboards/relaypanels.ts";
import { chosenRelay } from "../../charts/dashboards/variables.ts";
import { ruleGroups } from "../../charts/alerts/rules.ts";
import { user } from "../support/configuration.ts";
import { domainManifest, relayManifest } from "../support/controlplane/manifests.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { filledIn, type Picture, pictureOf } from "../support/dashboards/picture.ts";
import { Prometheus } from "../support/prometheus.ts";
import { makeResultsDirectory, repositoryRoot } from "../support/results.ts";
import { openSession } from "../support/send.ts";
import { openStage, sender, simpleMessage, type Stage } from "../support/stage.ts";
import { startCollector, type Collector } from "../support/tracing/collector.ts";
import { lackingCollector } from "../support/tracing/program.ts";
import { lacking } from "../support/tools.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane() || lackingCollector() || lacking("prometheus");
/** How long traffic goes on for pictures. */
const trafficMs = 120_000;
const rulesFile = join(repositoryRoot, "charts/mailboat/alerts/rules.yaml");

/** What a person chose at the top: everything, and one domain. */
const everything: Readonly<Record<string, string>> = {
  __rate_interval: "30s",
  cluster: ".*",
  job: ".+",
  namespace: ".+",
  relay: ".+",
  pod: ".*",
  domain: "example.com",
};

/** The pictures are of the one relay that is not only a manifest. */
const view = {
  rateInterval: "30s",
  chosen: { namespace: "mail", relay: "outbound", domain: "example.com" },
} as const;

/** The one expression, as it stands on its panel, that returns something only in bad times: domains with late mail. */
const silentWhenWell = `max by (domain) (${age("mailboat_spool_domain_oldest_waiting_timestamp_seconds", chosenRelay)})`;

const withTargets = z.looseObject({
  type: z.string(),
  title: z.string().default(""),
  targets: z.array(z.object({ expr: z.string() })).default([]),
});

interface Expression {
  readonly place: string;
  /** As it stands on the panel. */
  readonly raw: string;
  readonly expr: string;
}

function expressionsOfPanels(): readonly Expression[] {
  return dashboards.flatMap((words) => {
    const { panels } = z
      .object({ panels: z.array(withTargets) })
      .parse(JSON.parse(JSON.stringify(buildDashboard(words))));
    return panels.flatMap(({ title, targets }) =>
      targets.map(({ expr }) => ({
        place: `${words.title} / ${title}`,
        raw: expr,
        expr: filledIn(expr, everything),
      })),
    );
  });
}

function verdictOf(address: string, attempt: number): string | undefined {
  if (address.startsWith("busy")) return attempt === 1 ? "451 4.2.0 busy" : undefined;
  if (address.startsWith("held")) return "450 4.2.0 not now";
  return address.startsWith("nobody") ? "550 5.1.1 no such user" : undefined;
}

/** One of everything that a relay counts. */
async function script(stage: Stage, round: number): Promise<void> {
  const { relay } = stage;
  const client = await openSession({ name: "submission", port: relay.port("submission") }, user);
  for (const recipient of ["fine", "busy", "held", "nobody"]) {
    const reply = await client.send(sender, [`${recipient}${round}@example.org`], simpleMessage(`to ${recipient}`));
    assert.equal(reply.code, 250, reply.text);
  }
  const refused = await client.send("app@other.example", ["fine@example.org"], simpleMessage("not granted"));
  assert.ok(refused.code >= 500, refused.text);
  client.destroy();
  await assert.rejects(
    openSession({ name: "submission", port: relay.port("submission") }, { ...user, password: "wrong" }),
    /535/,
  );
  const plain = await openSession({ name: "smtp", port: relay.port("smtp") });
  const bounced = await plain.send("", [`nobody${round}@example.org`], simpleMessage("a notice"));
  assert.equal(bounced.code, 250, bounced.text);
  plain.destroy();
  await stage.hop.waitUntil(
    `round ${round}`,
    () =>
      ["fine", "busy"].every((name) =>
        stage.hop.mails.some((mail) => mail.recipients.includes(`${name}${round}@example.org`)),
      ),
    30_000,
  );
}

let operators: OperatorStage;
before(async () => {
  if (skip === false) operators = await OperatorStage.open(import.meta.url);
});
after(async () => {
  if (skip === false) await operators.close();
});

interface Observation {
  readonly stage: Stage;
  readonly prometheus: Prometheus;
  readonly collector: Collector;
  /** Where the operator's resources are. */
  readonly namespace: string;
}

async function observe(t: TestContext): Promise<Observation> {
  const collector = await startCollector(t, makeResultsDirectory(import.meta.url, "collector"));
  const stage = await openStage(t, {
    file: import.meta.url,
    script: { recipient: verdictOf },
    plan: {
      tracing: { endpoint: collector.endpoint, samplingRatio: 1, headers: {}, trustedNextHops: [] },
      retry: { firstMs: 1_000, maxMs: 600_000, expireAfterMs: 3_600_000, notifyDelayAfterMs: 3_000_000 },
    },
  });
  const operator = operators.operator();
  await operator.leading();
  const namespace = operators.plane.makeNamespace();
  operators.apply(relayManifest({ namespace, name: "outbound" }), domainManifest({ namespace, name: "example-com" }));
  await operators.untilCondition(
    "SenderDomain",
    { namespace, name: "example-com" },
    { type: "Ready", status: "False" },
  );
  const place = { namespace: "mail", mailboat_dev_relay: "outbound", pod: "outbound-0", instance: "10.2.3.4:9464" };
  const prometheus = await Prometheus.start(
    join(stage.directory, "prometheus"),
    [
      { job: "mail/outbound", port: stage.relay.port("http"), labels: place },
      {
        job: "mailboat",
        port: await operator.port(),
        labels: { namespace: "mailboat-system", pod: "operator-0", instance: "10.2.3.5:9464" },
      },
    ],
    [rulesFile],
  );
  t.after(() => prometheus.stop());
  return { stage, prometheus, collector, namespace };
}

test("every panel's expressions return data, and the script's numbers", { skip, timeout: 280_000 }, async (t) => {
  const { stage, prometheus, collector, namespace } = await observe(t);
  // A counter's first value has no rate: what is counted once before the first scrape is counted again after it.
  for (const round of [1, 2]) {
    await script(stage, round);
    const name = `round-${round}`;
    operators.apply(
      relayManifest({ namespace, name }),
      domainManifest({ namespace, name, spec: { domain: `${name}.example`, relayRef: { name } } }),
    );
    await operators.untilCondition("SenderDomain", { namespace, name }, { type: "Ready", status: "False" });
    await until("the script's end in Prometheus", async () => {
      const [accepted] = await prometheus.query("sum(mailboat_submission_accepted_messages_total)");
      return accepted?.value === round * 5;
    });
  }
  const expressions = expressionsOfPanels();
  assert.ok(expressions.length > 60, `${expressions.length} expressions`);
  assert.equal(expressions.filter(({ raw }) => raw === silentWhenWell).length, 1);
  const empty: string[] = [];
  for (const { place, raw, expr } of expressions) {
    const samples = await prometheus.query(expr);
    if (raw === silentWhenWell) continue;
    // A quantile of a series that stood still is no number; of one that moved it is.
    if (samples.every(({ value }) => Number.isNaN(value))) empty.push(`${place}: ${expr}`);
  }
  assert.deepEqual(empty, []);
  await checkNumbers(prometheus);
  await checkRules(prometheus);
  await checkExemplars(prometheus, collector);
  await settleIncreases(prometheus);
  const startedAt = Date.now();
  const pictures = process.env["MAILBOAT_PICTURES"];
  for (let round = 3; pictures !== undefined && Date.now() - startedAt < trafficMs; round += 1)
    await script(stage, round);
  if (pictures !== undefined) await draw(prometheus, pictures, trafficMs / 1000);
  else
    for (const [uid, picture] of await draw(prometheus, join(stage.directory, "pictures"), 30))
      checkPicture(uid, picture);
});

/**
 * increase() goes on beyond the first and the last sample, by half of the time between two and by that time and a tenth at most. With
 * so many of them that is less than half of a message of the script's ten, however slow the machine is, and rounded it is none.
 */
async function settleIncreases(prometheus: Prometheus): Promise<void> {
  const samples = 1 + Math.ceil((10 * 1.6) / 0.5);
  const seen = 'min(count_over_time(mailboat_submission_domain_messages_total{domain="example.com"}[1h]))';
  await until(
    `${samples + 1} samples of what was sent`,
    async () => ((await prometheus.query(seen))[0]?.value ?? 0) > samples,
    60_000,
  );
}

/** A point on a panel of latencies leads to a trace that the collector has. */
async function checkExemplars(prometheus: Prometheus, { sink }: Collector): Promise<void> {
  for (const metric of ["mailboat_delivery_seconds_bucket", "mailboat_submission_accept_seconds_bucket"]) {
    const traces = await until(`exemplars of ${metric}`, async () => {
      const stored = await prometheus.exemplarTraces(metric);
      return stored.length > 0 && stored;
    });
    const collected = (): ReadonlySet<string> => new Set(sink.spans.map(({ traceId }) => traceId));
    await until(`the traces of ${metric} at the collector`, () => traces.every((trace) => collected().has(trace)));
  }
}

/** Each panel must have come out: lines as paths, numbers and rows as text. */
async function draw(prometheus: Prometheus, directory: string, seconds: number): Promise<ReadonlyMap<string, Picture>> {
  mkdirSync(directory, { recursive: true });
  const drawn = new Map<string, Picture>();
  for (const words of dashboards) {
    const picture = await pictureOf({ uid: words.uid, prometheus: prometheus.address, seconds, ...view });
    const panels = words.rows.reduce((count, row) => count + row.panels.length, 0);
    assert.equal(picture.svg.match(/<g transform="translate/g)?.length, panels, words.title);
    assert.ok(!picture.svg.includes("NaN"), words.title);
    writeFileSync(join(directory, `${words.uid.replace(/^mailboat-/, "")}.svg`), picture.svg);
    drawn.set(words.uid, picture);
  }
  return drawn;
}

function linesOf({ panels }: Picture, title: string): readonly string[] {
  const panel = panels.find((each) => each.title === title);
  return panel?.kind === "graph" ? panel.lines.map(({ name }) => name) : [];
}

/** What people read, and in which colour: numbers of the script, judged by the limits of the dashboards. */
function checkPicture(uid: string, picture: Picture): void {
  const headers = picture.panels.flatMap((panel) => (panel.kind === "table" ? panel.headers : []));
  for (const header of headers) assert.match(header, /^[A-Z][a-z0-9 ]+$/, uid);
  const started = picture.marks.filter(({ kind }) => kind === "Starts");
  assert.ok(started.length > 0, `${uid} marks no start`);
  switch (uid) {
    case "mailboat-fleet": {
      const { colour, text } = picture.figure("Within 5 minutes");
      assert.deepEqual([text, colour], ["100 %", "green"]);
      assert.equal(picture.figure("Accepted").colour, "text");
      const [relay] = picture
        .rows("Relays")
        .filter((row) => row["Relay"] === "outbound" && row["Namespace"] === "mail");
      assert.deepEqual([relay?.["Late"], relay?.["Pods ready"]], ["0", "100 %"]);
      assert.ok(picture.marks.some(({ kind, title }) => kind === "Configuration" && title.startsWith("mail/outbound")));
      break;
    }
    case "mailboat-relay": {
      const refusals = picture
        .rows("Last refusals")
        .map((row) => [row["Destination"], row["Outcome"], row["Reply"]].join(" "));
      assert.ok(
        refusals.includes("example.org failed 550") || refusals.includes("example.org deferred 450"),
        refusals.join(),
      );
      break;
    }
    case "mailboat-sender-domain": {
      assert.equal(picture.figure("Bounce rate, 24 hours").colour, "red");
      assert.equal(picture.figure("Sent in 24 hours").text, "10");
      break;
    }
    case "mailboat-operator":
      assert.deepEqual(picture.figure("Leaders"), { name: "leaders", text: "1", colour: "green" });
      assert.equal(picture.figure("Not ready").colour, "orange");
      // Every process has a memory: only that of the operator belongs here.
      assert.deepEqual(linesOf(picture, "Memory of its limit"), ["operator-0"]);
      break;
    default:
      assert.fail(`nothing is known of ${uid}`);
  }
}

async function checkNumbers(prometheus: Prometheus): Promise<void> {
  const numbers: Readonly<Record<string, number>> = {
    // Two rounds of two recipients, and the two bounces.
    'sum(mailboat_delivery_attempts_total{outcome="delivered", code="250"})': 6,
    'sum(mailboat_delivery_domain_recipients_total{domain="example.com", outcome="failed"})': 4,
    'sum(mailboat_delivery_destination_recipients_total{destination="example.org", outcome="failed", reply="5xx"})': 4,
    'sum(mailboat_submission_authentications_total{result="failure"})': 2,
    'sum(mailboat_submission_accepted_messages_total{listener="submission", tls="TLSv1.3"})': 8,
    'sum(mailboat_submission_accepted_messages_total{listener="smtp", tls="none"})': 2,
    "sum(mailboat_spool_queued_recipients)": 2,
    'mailboat_spool_domain_queued_recipients{domain="example.com"}': 2,
    'mailboat_spool_destination_queued_recipients{destination="example.org"}': 2,
    'sum(mailboat_configuration_dkim_keys{algorithm="ed25519-sha256"})': 1,
    "sum(mailboat_delivery_double_bounces_total)": 2,
    'sum(mailboat_delivery_notices_total{notice="failed"})': 2,
    "sum(mailboat_operator_leader)": 1,
    'sum(mailboat_operator_resource_conditions{kind="SenderDomain", condition="Ready", status="False"})': 3,
  };
  for (const [expr, wanted] of Object.entries(numbers)) {
    let last: number | undefined;
    await until(`${expr} = ${wanted}`, async () => {
      last = (await prometheus.query(expr))[0]?.value;
      return last === wanted;
    }).catch((error: unknown) => assert.fail(`${String(error)}, it is ${last}`));
  }
}

/** Each alert's own expression runs, and each metric and label that it names is really there. */
async function checkRules(prometheus: Prometheus): Promise<void> {
  await until("an evaluation of every rule", async () => (await prometheus.unhealthyRules()).length === 0);
  const selector = /(?<name>mailboat_(?!dev_relay)\w+)(?:\{(?<matchers>[^}]*)\})?/g;
  const missing: string[] = [];
  for (const rule of ruleGroups.flatMap(({ rules }) => rules)) {
    for (const { groups } of rule.expr.matchAll(selector)) {
      const labels = [...(groups?.["matchers"] ?? "").matchAll(/(\w+)(?:=|!=|=~|!~)"/g)].map(
        ([, label]) => `${label}!=""`,
      );
      const samples = await prometheus.query(`${groups?.["name"]}{${labels.join(", ")}}`);
      if (samples.length === 0) missing.push(`${groups?.["name"]}{${labels.join(", ")}}`);
    }
  }
  assert.deepEqual(missing, []);
}
