/**
 * Every hop of a message, as a real OpenTelemetry collector receives it: trees, links and attributes are compared with a golden
 * description; who may continue a trace, and who gets to see one; and that no address or content is in any span.
 * `UPDATE_GOLDEN=1 node --test` writes the description anew; the difference is then read like any other change.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { TracingDocument } from "../../api/relayconfig.ts";
import { attribute, eventName, spanName } from "../../relay/observe/names.ts";
import { user, type RelayPlan } from "../support/configuration.ts";
import { makeRsaKey } from "../support/keys.ts";
import { LocalMode, localLogin, localManifests } from "../support/local.ts";
import { NextHop } from "../support/nexthop.ts";
import { verifyWithDkimpy } from "../support/python.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { openSession } from "../support/send.ts";
import { openStage, sender, simpleMessage, type Stage, type StageOptions } from "../support/stage.ts";
import { startCollector, type Collector } from "../support/tracing/collector.ts";
import { describeSpans } from "../support/tracing/describe.ts";
import { lackingCollector } from "../support/tracing/program.ts";
import type { CollectedSpan } from "../support/tracing/sink.ts";
import { until } from "../support/until.ts";

const skip = lackingCollector();
const file = import.meta.url;
const secondsOnly: NonNullable<RelayPlan["retry"]> = {
  firstMs: 1_000,
  maxMs: 1_000,
  expireAfterMs: 3_600_000,
  notifyDelayAfterMs: 3_000_000,
};
const remote = { trace: "0af7651916cd43dd8448eb211c80319c", span: "b7ad6b7169203331" };

/** Replies by the recipient's local part: `451x2-` says 451 twice, `550-` always 550, `451-` always 451. */
function scripted(address: string, attempt: number): string | undefined {
  if (address.startsWith("550-")) return "550 5.1.1 <nobody@example.org> unknown";
  if (address.startsWith("451-")) return "451 4.2.0 later";
  return address.startsWith("451x2-") && attempt <= 2 ? "451 4.2.0 <somebody@example.org> later" : undefined;
}

interface Scene extends Stage {
  readonly collector: Collector;
  send(recipients: readonly string[], message: Buffer): Promise<number>;
}

interface SceneOptions extends Omit<StageOptions, "file"> {
  readonly tracing?: Partial<TracingDocument>;
  readonly collector?: Collector;
}

async function openScene(t: TestContext, options: SceneOptions = {}): Promise<Scene> {
  const { tracing, name = "relay" } = options;
  const collector = options.collector ?? (await startCollector(t, makeResultsDirectory(file, `${name}-collector`)));
  const stage = await openStage(t, {
    file,
    script: { recipient: scripted },
    ...options,
    plan: { retry: secondsOnly, ...options.plan, tracing: tracingTo(collector, tracing) },
  });
  return {
    ...stage,
    collector,
    async send(recipients, message) {
      const client = await openSession({ name: "submission", port: stage.relay.port("submission") }, login);
      const reply = await client.send(sender, recipients, message);
      await client.command("QUIT");
      return reply.code;
    },
  };
}

const login = { name: user.name, password: user.password };

function tracingTo({ endpoint }: Collector, changes: Partial<TracingDocument> = {}): TracingDocument {
  return { endpoint, samplingRatio: 1, headers: {}, trustedNextHops: [], ...changes };
}

const outcomesOf = (scene: Scene): readonly unknown[] =>
  scene.collector.sink.named(spanName.deliver).map((span) => span.attributes[attribute.outcome]);

const goldenFile = join(import.meta.dirname, "golden/every-hop-is-traced.txt");

/** One chapter a test, in the order of the file. */
function compareWithGolden(chapter: string, spans: readonly CollectedSpan[]): void {
  const mark = `=== ${chapter}\n`;
  const text = `${mark}${describeSpans(spans)}\n`;
  let golden = "";
  try {
    golden = readFileSync(goldenFile, "utf8");
  } catch {
    // There is none before the first update.
  }
  const start = golden.indexOf(mark);
  const end = start === -1 ? -1 : golden.indexOf("\n=== ", start + 1) + 1;
  const found = start === -1 ? "" : golden.slice(start, end <= 0 ? undefined : end);
  if (process.env["UPDATE_GOLDEN"] === "1") {
    writeFileSync(goldenFile, start === -1 ? golden + text : golden.replace(found, text));
    return;
  }
  assert.equal(text, found);
}

test("delivered at once: one trace from HELO to the next hop's 250", { skip }, async (t) => {
  const scene = await openScene(t, { name: "at-once" });
  assert.equal(await scene.send(["someone@example.org"], simpleMessage("one")), 250);
  await scene.collector.sink.waitUntil("five spans", () => scene.collector.sink.spans.length >= 5);
  compareWithGolden("delivered at once", scene.collector.sink.spans);
  assert.equal(new Set(scene.collector.sink.spans.map(({ traceId }) => traceId)).size, 1);
  const [accepted] = scene.relay.program.logs("accepted");
  assert.equal(accepted?.fields["traceId"], scene.collector.sink.spans[0]?.traceId);
  for (const span of scene.collector.sink.spans) {
    assert.equal(span.resource["service.name"], "mailboat-relay");
    assert.equal(span.resource["mailboat.relay"], "mail/outbound");
    if (span.name !== spanName.receive) assert.equal(span.attributes[attribute.spoolId], accepted?.fields["spoolId"]);
  }
});

test(
  "deferred twice: each attempt is a root that links to the message and to the attempt before",
  { skip },
  async (t) => {
    const scene = await openScene(t, { name: "deferred" });
    assert.equal(await scene.send(["451x2-someone@example.org"], simpleMessage("two")), 250);
    await scene.collector.sink.waitUntil("three attempts", () => outcomesOf(scene).includes("delivered"));
    compareWithGolden("deferred twice", scene.collector.sink.spans);
  },
);

test("one of three refused: a sampled root for the bounce, which its notice continues", { skip }, async (t) => {
  const scene = await openScene(t, { name: "refused" });
  const recipients = ["a@example.org", "550-nobody@example.org", "b@example.com"];
  assert.equal(await scene.send(recipients, simpleMessage("three")), 250);
  await scene.collector.sink.waitUntil("both deliveries", () => outcomesOf(scene).length === 2);
  await scene.collector.sink.waitUntil("the bounce", () => scene.collector.sink.named(spanName.bounce).length > 0);
  compareWithGolden("one of three refused", scene.collector.sink.spans);
});

test("expired: the last attempt bounces", { skip }, async (t) => {
  const retry = { ...secondsOnly, firstMs: 5_000, maxMs: 5_000, expireAfterMs: 700 };
  const scene = await openScene(t, { name: "expired", plan: { retry } });
  assert.equal(await scene.send(["451-someone@example.org"], simpleMessage("four")), 250);
  await scene.collector.sink.waitUntil("the notice's delivery", () => outcomesOf(scene).includes("delivered"));
  compareWithGolden("expired", scene.collector.sink.spans);
});

test("refused after MAIL: the reply is told, and nothing else of it", { skip }, async (t) => {
  const scene = await openScene(t, { name: "refusals", plan: { limits: { messageSizeBytes: 2_000 } } });
  const client = await openSession({ name: "submissions", port: scene.relay.port("submissions") }, login);
  assert.equal((await client.command("MAIL FROM:<someone@elsewhere.example>")).code, 550);
  assert.equal(
    (await client.send(sender, ["a@example.org"], simpleMessage("big", sender, "x\r\n".repeat(1_000)))).code,
    552,
  );
  assert.equal((await client.send(sender, ["a@example.org"], simpleMessage("five", "x@elsewhere.example"))).code, 550);
  await client.command(`MAIL FROM:<${sender}>`);
  await client.command("RSET");
  await client.command("QUIT");
  await scene.collector.sink.waitUntil("four spans", () => scene.collector.sink.spans.length >= 4);
  compareWithGolden("refused after MAIL", scene.collector.sink.spans);
});

test("two relays in a row: the second continues the trace, and its next hop sees none", { skip }, async (t) => {
  const key = makeRsaKey("second");
  const second = await openScene(t, { name: "second", plan: { domains: [{ domain: "example.com", keys: [key] }] } });
  const hop = { host: "127.0.0.1", port: second.relay.port("smtp") };
  const first = await openScene(t, {
    name: "first",
    collector: second.collector,
    plan: { nextHops: [hop] },
    tracing: { trustedNextHops: [hop] },
  });
  const message = Buffer.concat([Buffer.from("tracestate: congo=t61rcWkgMzE\r\n"), traced("01"), simpleMessage("six")]);
  assert.equal(await first.send(["someone@example.org"], message), 250);
  const { sink } = second.collector;
  await sink.waitUntil("ten spans", () => sink.spans.length >= 10);
  compareWithGolden("two relays in a row", sink.spans);
  for (const span of sink.spans) assert.equal(span.traceId, remote.trace);
  for (const span of sink.spans) assert.equal(span.traceState, "congo=t61rcWkgMzE", span.name);

  const [arrived] = second.hop.mails;
  assert.ok(arrived !== undefined);
  assert.doesNotMatch(arrived.message.toString("latin1"), /^trace(?:parent|state):/im);
  const records = { ...first.records, "second._domainkey.example.com": key.record };
  assert.deepEqual(await verdictsOf(arrived.message, records), { rsa: "pass", ed: "pass", second: "pass" });
});

test("a trusted next hop sees one traceparent, whose parent is the send span; others see none", { skip }, async (t) => {
  for (const trusted of [true, false]) {
    const scene = await openScene(t, { name: `trusted-${trusted}` });
    const plan = { ...scene.plan, revision: "2" };
    const trustedNextHops = trusted ? [{ host: "127.0.0.1", port: scene.hop.address.port }] : [{ host: "localhost" }];
    scene.relay.reconfigure({ ...plan, tracing: tracingTo(scene.collector, { trustedNextHops }) });
    await scene.relay.program.waitForLog("tracing changed");
    assert.equal(await scene.send(["someone@example.org"], Buffer.concat([traced("01"), simpleMessage("seven")])), 250);
    await scene.hop.waitForMails(1);
    const message = scene.hop.mails[0]?.message ?? Buffer.alloc(0);
    const fields = message.toString("latin1").match(/^traceparent:.*$/gim) ?? [];
    await scene.collector.sink.waitUntil("the send", () => scene.collector.sink.named(spanName.send).length > 0);
    const [send] = scene.collector.sink.named(spanName.send);
    assert.deepEqual(fields, trusted ? [`traceparent: 00-${remote.trace}-${send?.spanId}-01`] : []);
    assert.deepEqual(await verdictsOf(message, scene.records), { rsa: "pass", ed: "pass" });
    assert.doesNotMatch(
      message.toString("latin1").replaceAll(/\r\n[ \t]+/g, " "),
      /^DKIM-Signature:.*\bh=[^;]*trace/im,
    );
  }
});

test(
  "who lost the right to send in the middle of a session continues no trace: what it sent is a link",
  { skip },
  async (t) => {
    const scene = await openScene(t, { name: "untrusted" });
    const client = await openSession({ name: "submission", port: scene.relay.port("submission") }, login);
    assert.equal((await client.command(`MAIL FROM:<${sender}>`)).code, 250);
    assert.equal((await client.command("RCPT TO:<someone@example.org>")).code, 250);
    const domains = scene.plan.domains.map((domain) => ({ ...domain, password: "another one" }));
    scene.relay.reconfigure({ ...scene.plan, revision: "2", domains });
    await scene.relay.program.waitFor("the new configuration", (line) =>
      /"revision":"2".*configuration loaded/.test(line),
    );
    assert.equal((await client.command("DATA")).code, 354);
    client.write(Buffer.concat([traced("01"), simpleMessage("eight"), Buffer.from(".\r\n")]));
    // The login is over, which is no fault of the message: the client brings it again in a session of its own.
    assert.equal((await client.reply()).code, 451);
    await scene.collector.sink.waitUntil("the span", () => scene.collector.sink.spans.length > 0);
    const [span] = scene.collector.sink.spans;
    assert.notEqual(span?.traceId, remote.trace);
    assert.equal(span?.parentSpanId, "");
    assert.deepEqual(
      span.links.map(({ traceId, spanId }) => [traceId, spanId]),
      [[remote.trace, remote.span]],
    );
  },
);

test("a message that outlives its relay keeps its trace", { skip }, async (t) => {
  const scene = await openScene(t, { name: "killed" });
  assert.equal(await scene.send(["451x2-someone@example.org"], simpleMessage("nine")), 250);
  const { sink } = scene.collector;
  await sink.waitUntil("the first attempt", () => sink.named(spanName.deliver).length > 0);
  await scene.relay.program.kill("SIGKILL");
  await scene.restart();
  t.after(() => scene.relay.stop());
  await sink.waitUntil("the delivery", () => outcomesOf(scene).includes("delivered"));
  const last = sink.named(spanName.deliver).at(-1);
  const [spooled] = sink.named(spanName.spool);
  assert.equal(last?.links[0]?.spanId, spooled?.spanId);
  assert.equal(
    sink.named(spanName.deliver).some(({ spanId }) => spanId === last?.links[1]?.spanId),
    true,
  );
});

test("at ratio 0 only what fails for good is traced, and it links to what was not kept", { skip }, async (t) => {
  const scene = await openScene(t, { name: "ratio-0", tracing: { samplingRatio: 0 } });
  assert.equal(await scene.send(["someone@example.org"], simpleMessage("ten")), 250);
  assert.equal(await scene.send(["550-nobody@example.org"], simpleMessage("eleven")), 250);
  const { sink } = scene.collector;
  await sink.waitUntil("the notice's delivery", () => outcomesOf(scene).includes("delivered"));
  compareWithGolden("ratio 0", sink.spans);
});

test(
  "what ended just before a stop reaches the collector, and tracing follows the configuration",
  { skip },
  async (t) => {
    const scene = await openScene(t, { name: "reload" });
    const later = await startCollector(t, makeResultsDirectory(file, "later-collector"));
    assert.equal(await scene.send(["someone@example.org"], simpleMessage("twelve")), 250);
    await scene.hop.waitForMails(1);
    await scene.relay.program.waitForLog("delivered");
    scene.relay.reconfigure({ ...scene.plan, revision: "2", tracing: tracingTo(later) });
    await scene.relay.program.waitForLog("tracing changed");
    assert.equal(await scene.send(["someone@example.org"], simpleMessage("thirteen")), 250);
    await scene.hop.waitForMails(2);
    assert.equal(await scene.relay.stop(), 0);
    assert.equal(scene.collector.sink.spans.length + later.sink.spans.length, 10);
    assert.ok(later.sink.spans.length >= 5);
  },
);

test("over TLS the collector must chain to the authority that the manifest names", { skip }, async (t) => {
  const directory = makeResultsDirectory(file, "tls-collector");
  const stage = await openStage(t, { file, name: "tls" });
  const tls = {
    certificateFile: join(stage.directory, "relay.example.net.crt"),
    privateKeyFile: join(stage.directory, "relay.example.net.key"),
  };
  const collector = await startCollector(t, directory, tls);
  const send = async (subject: string): Promise<void> => {
    const client = await openSession({ name: "smtp", port: stage.relay.port("smtp") });
    assert.equal((await client.send(sender, ["someone@example.org"], simpleMessage(subject))).code, 250);
    client.destroy();
  };
  stage.relay.reconfigure({ ...stage.plan, revision: "2", tracing: tracingTo(collector) });
  await stage.relay.program.waitForLog("tracing changed");
  await send("fourteen");
  const lost = await stage.relay.program.waitForLog("traces are lost");
  assert.match(String(lost.fields["error"]), /spec\.tracing\.caRef/);
  const trusted = { ca: stage.plan.certificate.certificate };
  stage.relay.reconfigure({ ...stage.plan, revision: "3", tracing: tracingTo(collector, trusted) });
  await stage.relay.program.waitFor("the last configuration", (line) =>
    /"revision":"3".*configuration loaded/.test(line),
  );
  await send("fifteen");
  await stage.relay.program.waitForLog("traces reach the collector again");
  await collector.sink.waitUntil("the spans", () => collector.sink.named(spanName.send).length > 0);
});

test(
  "a manifest's tracing waits for its Secret, says so, and then takes effect without a restart",
  { skip },
  async (t) => {
    const hop = await NextHop.start();
    t.after(() => hop.stop());
    const directory = makeResultsDirectory(file, "local");
    const collector = await startCollector(t, directory);
    const manifests = localManifests(hop.address);
    const tracing = `tracing: {endpoint: "${collector.endpoint}", headersRef: {name: collector-headers}}`;
    const relay =
      manifests["relay.yaml"]?.replace("  tls: {selfSigned: {}}", `  tls: {selfSigned: {}}\n  ${tracing}`) ?? "";
    const local = await LocalMode.start({ directory, manifests: { ...manifests, "relay.yaml": relay } });
    t.after(() => local.program.kill("SIGTERM"));
    const field = "spec.tracing.headersRef: Secret collector-headers does not exist";
    await local.program.waitFor("the condition", (line) => line.includes(field));
    local.writeManifest(
      "headers.yaml",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: collector-headers, namespace: mail}\nstringData: {x-tenant: mail}\n",
    );
    await local.program.waitFor("its end", (line) => line.includes("ResolvedRefs=True"));
    let sent = 0;
    await until("the spans of a message", async () => {
      const client = await openSession({ name: "submission", port: local.port("submission") }, localLogin);
      assert.equal(
        (await client.send(sender, ["someone@example.org"], simpleMessage(`local ${(sent += 1)}`))).code,
        250,
      );
      client.destroy();
      return collector.sink.named(spanName.send).length > 0;
    });
  },
);

test("no address, subject or content is in any span, and every name is one of ours", { skip }, async (t) => {
  const scene = await openScene(t, { name: "scan" });
  const secrets = ["kassandra", "theophilus", "hephaestus", "persephone", "xanthippe"] as const;
  const [from, to, subject, body, helo] = secrets;
  const message = simpleMessage(subject, `${from}@example.com`, `${body}\r\n`);
  const client = await openSession({ name: "submissions", port: scene.relay.port("submissions") }, login);
  await client.command(`EHLO ${helo}.example.net`);
  for (const prefix of ["", "451x2-", "550-", "451x2-"]) {
    const reply = await client.transact(
      [`MAIL FROM:<${from}@example.com> ENVID=${body}`, `RCPT TO:<${prefix}${to}@example.org>`],
      message,
    );
    assert.equal(reply.code, 250);
  }
  await client.command(`MAIL FROM:<${from}@elsewhere.example>`);
  await client.command("QUIT");
  const { sink } = scene.collector;
  await sink.waitUntil("four deliveries", () => outcomesOf(scene).filter((each) => each === "delivered").length === 4);
  await sink.waitUntil("the refusal", () => sink.named(spanName.receive).length === 5);

  const text = JSON.stringify(sink.spans, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value));
  for (const secret of secrets) assert.doesNotMatch(text, new RegExp(secret, "i"));
  assert.doesNotMatch(text, /@/);
  assert.deepEqual(
    sink.spans.map(({ status }) => status.message).filter((each) => each !== ""),
    [],
  );
  const names = new Set<string>(Object.values(attribute));
  const told = sink.spans.flatMap((span) =>
    [span, ...span.events, ...span.links].map((each) => Object.keys(each.attributes)),
  );
  assert.deepEqual(
    [...new Set(told.flat())].filter((name) => !names.has(name)),
    [],
  );
  const events = sink.spans.flatMap((span) => span.events.map(({ name }) => name));
  assert.deepEqual(
    events.filter((name) => !new Set<string>(Object.values(eventName)).has(name)),
    [],
  );
  // From pod to pod, another scenario's: a-leaving-pod-hands-its-mail-over.
  const { handoff: _handoff, ...ofOneRelay } = spanName;
  assert.deepEqual(new Set(sink.spans.map(({ name }) => name)), new Set(Object.values(ofOneRelay)));
});

async function verdictsOf(message: Buffer, records: Readonly<Record<string, string>>): Promise<unknown> {
  const path = join(makeResultsDirectory(file, "verified"), "message.eml");
  writeFileSync(path, message);
  const [verdicts] = await verifyWithDkimpy(records, [path]);
  return verdicts;
}

function traced(flags: string): Buffer {
  return Buffer.from(`traceparent: 00-${remote.trace}-${remote.span}-${flags}\r\n`);
}
