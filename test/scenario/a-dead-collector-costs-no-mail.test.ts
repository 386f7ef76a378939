/**
 * A collector that refuses, is silent or is overloaded costs spans and no mail: the pace stays, memory stays bounded, what
 * is lost is counted and said once, a stop does not wait, and when the collector is back so are the traces.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import type { TracingDocument } from "../../api/relayconfig.ts";
import { flood, reconcile } from "../support/flood.ts";
import { freePort } from "../support/ports.ts";
import { openStage, type Stage } from "../support/stage.ts";
import { until } from "../support/until.ts";

const mebibyte = 2 ** 20;
const messages = 1_000;
const floods = 3;
/** receive, spool, deliver, sign, send. */
const spans = 5 * messages * floods;
/** What the relay holds at most: its queue, and the batch that it tries to export. */
const held = 8_192 + 512;

const collectors: readonly { readonly name: string; readonly answer: RequestListener | undefined }[] = [
  { name: "refuses connections", answer: undefined },
  { name: "takes requests and never answers", answer: (incoming) => void incoming.resume() },
  {
    name: "answers 503",
    answer: (incoming, outgoing) => {
      incoming.resume();
      incoming.once("end", () => outgoing.writeHead(503).end());
    },
  },
];

for (const { name, answer } of collectors) {
  test(`a collector that ${name} costs no mail`, async (t) => {
    const endpoint = answer === undefined ? `http://127.0.0.1:${await freePort()}` : await serve(t, answer);
    const stage = await openStage(t, { file: import.meta.url, name: name.replaceAll(" ", "-") });
    await pace(stage, 500);
    const untraced = await paces(stage);
    const before = stage.relay.peakMemoryBytes();

    await trace(stage, endpoint);
    const traced = await paces(stage);
    const added = (stage.relay.peakMemoryBytes() - before) / mebibyte;
    t.diagnostic(
      `messages/s: ${untraced.join(", ")} untraced, ${traced.join(", ")} with the dead collector; ${added.toFixed(0)} MiB added`,
    );
    // Tracing itself has its cost (make bench tells it), and machines that run tests are busy: the best against the middle.
    const [, middle = 0] = untraced.toSorted((one, other) => one - other);
    assert.ok(Math.max(...traced) > middle * 0.6);
    assert.ok(added < 96, `${added} MiB`);

    const dropped = await droppedSpans(stage);
    assert.ok(dropped >= spans - held, `${dropped} of ${spans} spans counted as dropped`);
    assert.equal(stage.relay.program.logs("traces are lost").length, 1);
    const stoppingAt = performance.now();
    assert.equal(await stage.relay.stop(), 0);
    const seconds = (performance.now() - stoppingAt) / 1000;
    assert.ok(seconds < 6, `${seconds} s to stop`);
  });
}

test("a collector that comes back gets traces again", async (t) => {
  let isUp = false;
  const endpoint = await serve(t, (incoming, outgoing) => {
    incoming.resume();
    incoming.once("end", () => outgoing.writeHead(isUp ? 200 : 400).end());
  });
  const stage = await openStage(t, { file: import.meta.url, name: "comes-back" });
  await trace(stage, endpoint);
  await pace(stage, 10);
  const lost = await stage.relay.program.waitForLog("traces are lost");
  assert.equal(lost.fields["reason"], "export_failed");
  isUp = true;
  await pace(stage, 10);
  await stage.relay.program.waitForLog("traces reach the collector again");
  await until("exported spans", async () => (await metric(stage, "mailboat_telemetry_spans_exported_total")) >= 50);
});

async function paces(stage: Stage): Promise<readonly number[]> {
  const measured: number[] = [];
  for (let turn = 0; turn < floods; turn += 1) measured.push(Math.round(await pace(stage, messages)));
  return measured;
}

test("an endpoint that is no URL costs no mail, at the start and later", async (t) => {
  const tracing: TracingDocument = { endpoint: "http://a:b:c", samplingRatio: 1, headers: {}, trustedNextHops: [] };
  const stage = await openStage(t, { file: import.meta.url, name: "no-url", plan: { tracing } });
  await stage.relay.program.waitForLog("tracing could not be set up");
  await pace(stage, 10);
  const endpoint = await serve(t, (incoming, outgoing) => {
    incoming.resume();
    incoming.once("end", () => outgoing.writeHead(200).end());
  });
  await trace(stage, endpoint);
  await pace(stage, 10);
  await until("exported spans", async () => (await metric(stage, "mailboat_telemetry_spans_exported_total")) >= 50);
});

/** Messages a second, from the first MAIL to the last delivery; every one arrives. */
async function pace(stage: Stage, count: number): Promise<number> {
  stage.hop.mails.length = 0;
  const port = stage.relay.port("smtp");
  const startedAt = performance.now();
  const ledger = await flood({ port: () => port, messages: count, connections: 20 });
  await stage.hop.waitForMails(count, 60_000);
  const seconds = (performance.now() - startedAt) / 1000;
  assert.deepEqual(reconcile(ledger, stage.hop.mails), { lost: [], duplicates: 0 });
  return count / seconds;
}

async function trace(stage: Stage, endpoint: string): Promise<void> {
  const tracing: TracingDocument = { endpoint, samplingRatio: 1, headers: {}, trustedNextHops: [] };
  stage.relay.reconfigure({ ...stage.plan, revision: "2", tracing });
  await stage.relay.program.waitForLog("tracing changed");
}

async function droppedSpans(stage: Stage): Promise<number> {
  const full = await metric(stage, 'mailboat_telemetry_spans_dropped_total{reason="queue_full"}');
  return full + (await metric(stage, 'mailboat_telemetry_spans_dropped_total{reason="export_failed"}'));
}

/** 0 for a series that is not there yet. */
async function metric(stage: Stage, series: string): Promise<number> {
  const line = (await stage.relay.metrics()).split("\n").find((each) => each.startsWith(`${series} `));
  return line === undefined ? 0 : Number(line.slice(series.length + 1));
}

async function serve(t: TestContext, answer: RequestListener): Promise<string> {
  const server: Server = createServer(answer);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
