import assert from "node:assert/strict";
import { test } from "node:test";
import type { SnapshotSource } from "../config/snapshot.ts";
import { domainSettingsOf, edwardsKey, relayDocumentOf, snapshotOf } from "../../test/support/relayvalues.ts";
import type { Census, SpoolDepth, Waiting } from "../spool/queue.ts";
import { exemplarOf } from "../../runtime/tracing/exemplar.ts";
import { BoundedLabel, MetricsRegistry, otherValues } from "../../runtime/metrics.ts";
import { configurationMetrics } from "../config/metrics.ts";
import { deliveryMetrics, replyClass } from "../delivery/metrics.ts";
import { receptionMetrics, type Acceptance } from "../reception/metrics.ts";
import { spoolMetrics } from "../spool/metrics.ts";

const depth: SpoolDepth = {
  queuedMessages: 3,
  queuedRecipients: 4,
  oldestDueAt: 1_700_000_000_000,
  usedBytes: 4096,
  logBytes: 1024,
  unreadableRecipients: 2,
  capturedMessages: 6,
  full: false,
  spoolId: "s",
};
const census: Census = {
  senders: { longest: [{ domain: "example.com", recipients: 3 }], others: 1 },
  destinations: { longest: [{ domain: "mx.example", recipients: 4 }], others: 0 },
  oldest: [{ domain: "example.com", dueAt: 1_700_000_000_000 }],
};
let waiting: Waiting = {
  objective: { inTime: 7, late: 2 },
  oldestAcceptedAt: 1_700_000_000_000,
  olderThan: { "5m": 5, "1h": 2, "1d": 1 },
  domains: [{ domain: "example.com", olderThan: { "5m": 4, "1h": 2, "1d": 1 }, oldestAcceptedAt: 1_700_000_000_000 }],
  others: { "5m": 1, "1h": 0, "1d": 0 },
};
const trace = "0af7651916cd43dd8448eb211c80319c";
const traceparent = `00-${trace}-b7ad6b7169203331-01`;

/** What a relay counts, with as many domains as it gives series of their own. */
function countsOf(source?: SnapshotSource) {
  const registry = new MetricsRegistry();
  const domains = new BoundedLabel(500);
  const snapshots = (): SnapshotSource | undefined => source;
  configurationMetrics(registry, snapshots);
  const asked = { depth: async () => depth, census: async () => census, waiting: async () => waiting };
  spoolMetrics(registry, { ...asked, snapshots });
  return {
    registry,
    reception: receptionMetrics(registry, domains),
    delivery: deliveryMetrics(registry, { domains, destinations: new BoundedLabel(200) }),
  };
}

function acceptance(domain: string): Acceptance {
  return { listener: "smtp", domain, tls: "TLSv1.3", sizeBytes: 100, seconds: 0.004, traceparent };
}

async function line(registry: MetricsRegistry, start: string): Promise<string | undefined> {
  return (await registry.render()).split("\n").find((each) => each.startsWith(start));
}

test("a label keeps its first values and folds the rest", () => {
  const label = new BoundedLabel(2);
  const folded = ["a", "b", "c", "a", "c"].map((value) => label.of(value));
  assert.deepEqual(folded, ["a", "b", otherValues, "a", otherValues]);
});

test("the class of a reply tells the next hop's words from trouble before any", () => {
  assert.equal(replyClass(250, true), "2xx");
  assert.equal(replyClass(451, true), "4xx");
  assert.equal(replyClass(421, false), "none");
});

test("a destination has one series for its last refusal, and codes that a next hop invents have no name", async () => {
  const { registry, delivery } = countsOf();
  const name = "mailboat_delivery_destination_refusal_timestamp_seconds";
  const attempt = { isRemote: true, domain: "example.com", destination: "mx.example" } as const;
  const refusals = async (): Promise<readonly string[]> =>
    (await registry.render()).split("\n").filter((each) => each.startsWith(`${name}{`));
  delivery.attempted({ ...attempt, outcome: "delivered", code: 250, enhanced: "2.0.0" });
  assert.deepEqual(await refusals(), []);
  for (let detail = 0; detail < 150; detail += 1)
    delivery.attempted({ ...attempt, outcome: "deferred", code: 451, enhanced: `4.0.${detail}` });
  const [last = "", ...others] = await refusals();
  assert.deepEqual(others, []);
  assert.ok(
    last.startsWith(`${name}{destination="mx.example",outcome="deferred",code="451",enhanced="(other)"} `),
    last,
  );
  delivery.attempted({ ...attempt, outcome: "failed", code: 550, enhanced: "4.0.1" });
  delivery.attempted({ ...attempt, outcome: "failed", code: 554, enhanced: undefined, destination: "other.example" });
  assert.deepEqual(
    (await refusals()).map((each) => each.replace(/.*\{(.*)\} .*/, "$1")),
    [
      'destination="mx.example",outcome="failed",code="550",enhanced="4.0.1"',
      'destination="other.example",outcome="failed",code="554",enhanced=""',
    ],
  );
});

test("only a sampled trace becomes an exemplar", () => {
  assert.deepEqual(exemplarOf(traceparent), { trace_id: trace, span_id: "b7ad6b7169203331" });
  for (const other of [undefined, "", traceparent.replace(/01$/, "00"), `${traceparent}x`])
    assert.equal(exemplarOf(other), undefined);
});

test("a process tells what it may use beside what it uses", async () => {
  const page = await countsOf().registry.render();
  for (const name of ["mailboat_process_memory_limit_bytes", "mailboat_process_cpu_limit_cores"]) {
    const value = Number(
      page
        .split("\n")
        .find((each) => each.startsWith(`${name} `))
        ?.split(" ")[1],
    );
    assert.ok(value > 0 && Number.isFinite(value), `${name} ${value}`);
  }
});

test("a latency carries the trace of its message", async () => {
  const { registry, reception, delivery } = countsOf();
  reception.accepted(acceptance("example.com"));
  delivery.delivered(0.2, traceparent);
  for (const [name, le] of [
    ["mailboat_submission_accept_seconds", "0.005"],
    ["mailboat_delivery_seconds", "0.25"],
  ] as const) {
    const bucket = await line(registry, `${name}_bucket{le="${le}"}`);
    assert.match(bucket ?? "", new RegExp(`# \\{trace_id="${trace}",span_id="b7ad6b7169203331"\\}`));
  }
  assert.match(await registry.render(), /# EOF\n$/);
});

test("the configuration in force is told: revision, keys, capacity", async () => {
  const snapshot = snapshotOf(relayDocumentOf(), [domainSettingsOf("example.com", {}, [edwardsKey])]);
  const { registry } = countsOf({
    current: () => snapshot,
    lastError: "relay.json: broken",
    onChange: () => undefined,
  });
  const page = await registry.render();
  for (const expected of [
    `mailboat_configuration_info{revision="${snapshot.revision}"} 1`,
    'mailboat_configuration_sender_domains{dkim="usable"} 1',
    'mailboat_configuration_sender_domains{dkim="none"} 0',
    'mailboat_configuration_dkim_keys{algorithm="ed25519-sha256"} 1',
    "mailboat_configuration_stale 1",
    "mailboat_spool_queued_recipients 4",
    'mailboat_spool_domain_queued_recipients{domain="example.com"} 3',
    'mailboat_spool_domain_queued_recipients{domain="(other)"} 1',
    'mailboat_spool_destination_queued_recipients{destination="mx.example"} 4',
    'mailboat_spool_domain_oldest_due_timestamp_seconds{domain="example.com"} 1700000000',
    "mailboat_spool_oldest_due_timestamp_seconds 1700000000",
  ])
    assert.ok(page.split("\n").includes(expected), expected);
});

test("what waits and what was late are told, and what waits no more has no series", async () => {
  const { registry } = countsOf();
  const mine = (page: string): readonly string[] =>
    page
      .split("\n")
      .filter((each) =>
        /^mailboat_spool_(?:objective|oldest_waiting|waiting|domain_oldest_waiting|domain_waiting)/.test(each),
      );
  assert.deepEqual(mine(await registry.render()), [
    'mailboat_spool_objective_messages_total{result="in_time"} 0',
    'mailboat_spool_objective_messages_total{result="late"} 0',
    "mailboat_spool_oldest_waiting_timestamp_seconds 1700000000",
    'mailboat_spool_waiting_messages{older_than="5m"} 5',
    'mailboat_spool_waiting_messages{older_than="1h"} 2',
    'mailboat_spool_waiting_messages{older_than="1d"} 1',
    'mailboat_spool_domain_oldest_waiting_timestamp_seconds{domain="example.com"} 1700000000',
    'mailboat_spool_domain_waiting_messages{domain="example.com",older_than="5m"} 4',
    'mailboat_spool_domain_waiting_messages{domain="example.com",older_than="1h"} 2',
    'mailboat_spool_domain_waiting_messages{domain="example.com",older_than="1d"} 1',
    'mailboat_spool_domain_waiting_messages{domain="(other)",older_than="5m"} 1',
    'mailboat_spool_domain_waiting_messages{domain="(other)",older_than="1h"} 0',
    'mailboat_spool_domain_waiting_messages{domain="(other)",older_than="1d"} 0',
  ]);
  const none = { "5m": 0, "1h": 0, "1d": 0 };
  const objective = { inTime: 8, late: 2 };
  waiting = { objective, oldestAcceptedAt: undefined, olderThan: none, domains: [], others: none };
  const after = mine(await registry.render());
  assert.ok(after.includes('mailboat_spool_objective_messages_total{result="in_time"} 8'));
  assert.ok(after.includes("mailboat_spool_oldest_waiting_timestamp_seconds 0"));
  assert.ok(after.includes('mailboat_spool_waiting_messages{older_than="5m"} 0'));
  assert.deepEqual(
    after.filter((each) => each.includes("example.com")),
    [],
  );
});

test("what became late while no process was there is an increase: the first page says 0, those after it count it once", async () => {
  let isReadable = false;
  const registry = new MetricsRegistry();
  const asked = { census: async () => census, waiting: async () => waiting, snapshots: () => undefined };
  const depthOf = async (): Promise<SpoolDepth> => (isReadable ? depth : Promise.reject(new Error("EIO")));
  spoolMetrics(registry, { ...asked, depth: depthOf });
  const told = (page: string): readonly string[] =>
    page
      .split("\n")
      .filter((each) => each.startsWith("mailboat_spool_objective_messages_total"))
      .map((each) => each.replace(/.*\{result="(.*)"\}/, "$1"));
  waiting = { ...waiting, objective: { inTime: 7, late: 2 } };
  // Nobody has read a page that failed.
  await assert.rejects(registry.render(), { message: "EIO" });
  isReadable = true;
  const both = await Promise.all([registry.render(), registry.render()]);
  assert.deepEqual(both.map(told), [
    ["in_time 0", "late 0"],
    ["in_time 0", "late 0"],
  ]);
  assert.deepEqual(told(await registry.render()), ["in_time 7", "late 2"]);
  assert.deepEqual(told(await registry.render()), ["in_time 7", "late 2"]);
  waiting = { ...waiting, objective: { inTime: 7, late: 3 } };
  assert.deepEqual(told(await registry.render()), ["in_time 7", "late 3"]);
});

test("10,000 sender domains and 100,000 destinations leave a page under 5 MiB, scraped within 200 ms", async () => {
  const { registry, reception, delivery } = countsOf();
  for (let index = 0; index < 10_000; index += 1) reception.accepted(acceptance(`sender-${index}.example`));
  for (let index = 0; index < 100_000; index += 1) {
    for (const outcome of ["delivered", "deferred", "failed"] as const)
      delivery.attempted({
        outcome,
        code: 250,
        enhanced: "2.0.0",
        isRemote: true,
        domain: `sender-${index % 10_000}.example`,
        destination: `mx-${index}.example`,
      });
  }
  // The quickest of some: others may want the processor in the middle of one.
  const elapsedMs: number[] = [];
  for (let scrape = 0; scrape < 5; scrape += 1) {
    const startedAt = performance.now();
    const page = await registry.render();
    elapsedMs.push(performance.now() - startedAt);
    assert.ok(page.length < 5 * 1024 * 1024, `${page.length} octets`);
  }
  assert.ok(Math.min(...elapsedMs) < 200, `${elapsedMs.join(", ")} ms`);
  assert.equal(reception.acceptedMessages, 10_000);
});
