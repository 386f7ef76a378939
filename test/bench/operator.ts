/**
 * The operator at scale, on a real API server: 10,000 SenderDomains with given keys and 500 MailRelays with a pod each.
 * `node test/bench/operator.ts [--domains N] [--relays N] [--namespaces N] [--changes N]`
 */
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { relayLabel } from "../../api/labels.ts";
import { bundlePrograms } from "../../image/bundle.ts";
import { resourceOf } from "../../operator/kube/cluster/resources.ts";
import { shardOf, shardSecretName } from "../../operator/binding/shards.ts";
import { makePrivateKey } from "../../operator/dkim/makekey.ts";
import { startMirror } from "../support/controlplane/clients.ts";
import { domainManifest, relayManifest, secretManifest } from "../support/controlplane/manifests.ts";
import type { OperatorProgram } from "../support/controlplane/operator.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { startPods } from "../support/controlplane/podstandin.ts";
import { provideHelm, type Rendered } from "../support/helm.ts";
import { startAsIn } from "./asinchart.ts";

interface Scale {
  readonly domains: number;
  readonly relays: number;
  readonly namespaces: number;
  readonly changes: number;
}

interface Domain {
  readonly namespace: string;
  readonly name: string;
  readonly relay: string;
  readonly domain: string;
}

function readScale(): Scale {
  const { values } = parseArgs({
    options: {
      domains: { type: "string", default: "10000" },
      relays: { type: "string", default: "500" },
      namespaces: { type: "string", default: "100" },
      changes: { type: "string", default: "200" },
    },
  });
  const { domains, relays, namespaces, changes } = values;
  return {
    domains: Number(domains),
    relays: Number(relays),
    namespaces: Number(namespaces),
    changes: Number(changes),
  };
}

function say(what: string, figures: Readonly<Record<string, number | string>>): void {
  const text = Object.entries(figures).map(
    ([name, value]) => `${name} ${typeof value === "number" ? rounded(value) : value}`,
  );
  process.stdout.write(`${what.padEnd(28)} ${text.join(", ")}\n`);
}

function rounded(value: number): string {
  return value >= 100 || Number.isInteger(value) ? value.toFixed(0) : value.toPrecision(3);
}

/** Manifests are there before the operator is. Keys are given: making RSA keys would measure OpenSSL. */
async function fill(stage: OperatorStage, scale: Scale): Promise<readonly Domain[]> {
  const namespaces = Array.from({ length: scale.namespaces }, () => stage.makeNamespace());
  const keys = await Promise.all(Array.from({ length: 20 }, () => makePrivateKey("RSA2048")));
  const domains = Array.from({ length: scale.domains }, (_, index): Domain => {
    const relay = index % scale.relays;
    const namespace = namespaces[relay % scale.namespaces] ?? "";
    return { namespace, name: `domain-${index}`, relay: `relay-${relay}`, domain: `d${index}.example.com` };
  });
  const objects = [
    ...Array.from({ length: scale.relays }, (_, index) =>
      relayManifest({ namespace: namespaces[index % scale.namespaces] ?? "", name: `relay-${index}` }),
    ),
    ...domains.map(({ namespace, name }, index) =>
      secretManifest({ namespace, name: `${name}-key`, values: { privateKey: keys[index % keys.length] ?? "" } }),
    ),
    ...domains.map((domain) => domainManifest({ ...domain, spec: specOf(domain, "*") })),
  ];
  const kinds = { MailRelay: "MailRelay", SenderDomain: "SenderDomain", Secret: "Secret" } as const;
  await inParallel(objects, async (object) => {
    const kind = Object.values(kinds).find((one) => one === object.kind) ?? "Secret";
    await stage.client.create(resourceOf(kind), object, "kubectl");
  });
  return domains;
}

function specOf({ name, relay, domain }: Domain, address: string): object {
  const keys = [{ selector: "s1", secretRef: { name: `${name}-key` } }];
  return { domain, relayRef: { name: relay }, dkim: { keys }, localParts: [address] };
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  const worker = async (): Promise<void> => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: 32 }, worker));
}

interface Memory {
  readonly peakMiB: number;
  readonly nowMiB: number;
  /** Pages of Node's program and of libraries, which processes of one image share. */
  readonly filesMiB: number;
}

/** Resident memory. */
function memoryOf(operator: OperatorProgram): Memory {
  const text = readFileSync(`/proc/${operator.program.pid}/status`, "utf8");
  const field = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(text)?.[1]) / 1024;
  return { peakMiB: field("VmHWM"), nowMiB: field("VmRSS"), filesMiB: field("RssFile") };
}

/** CPU seconds of the process. */
function cpuOf(operator: OperatorProgram): number {
  const fields = readFileSync(`/proc/${operator.program.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function ready(operator: OperatorProgram, kind: string): Promise<number> {
  return operator.figure("mailboat_operator_resource_conditions", { kind, condition: "Ready", status: "True" });
}

async function untilAllReady(operator: OperatorProgram, scale: Scale): Promise<void> {
  for (;;) {
    const [domains, relays] = [await ready(operator, "SenderDomain"), await ready(operator, "MailRelay")];
    if (domains === scale.domains && relays === scale.relays) return;
    process.stderr.write(`\r  ${domains} domains and ${relays} relays are ready `);
    await pause(2000);
  }
}

async function untilLookedAt(operator: OperatorProgram, count: number): Promise<void> {
  const looks = (): Promise<number> => operator.figure("mailboat_operator_reconcile_seconds_count");
  const waiting = (): Promise<number> => operator.figure("mailboat_operator_queue_depth");
  while ((await looks()) < count || (await waiting()) > 0) await pause(100);
}

/** Requests but watches and the Lease. */
async function requestsOf(operator: OperatorProgram): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {};
  for (const verb of ["get", "list", "create", "patch", "apply", "update", "delete"]) {
    const leases = await operator.figure("mailboat_operator_requests_total", { verb, resource: "leases" });
    counts[verb] = (await operator.figure("mailboat_operator_requests_total", { verb })) - leases;
  }
  return counts;
}

function difference(
  now: Readonly<Record<string, number>>,
  before: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(now).map(([name, count]) => [name, count - (before[name] ?? 0)]));
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** One domain after the other gets another address; how long until its shard has it. */
async function change(stage: OperatorStage, domains: readonly Domain[], changes: number): Promise<readonly number[]> {
  const written = new Map<string, () => void>();
  const mirror = startMirror({
    client: stage.client,
    resource: resourceOf("Secret"),
    query: { labelSelector: relayLabel, metadataOnly: true },
    onChange: ({ key }) => written.get(key)?.(),
  });
  await mirror.reflector.synced;
  const times: number[] = [];
  for (let index = 0; index < changes; index += 1) {
    const domain = domains[(index * 7919) % domains.length];
    if (domain === undefined) continue;
    const shard = `${domain.namespace}/${shardSecretName(domain.relay, shardOf(domain.domain))}`;
    const { promise, resolve } = Promise.withResolvers<void>();
    written.set(shard, resolve);
    const startedAt = performance.now();
    const body = { spec: specOf(domain, `a${index}`) };
    await stage.client.mergePatch(resourceOf("SenderDomain"), domain, { body, fieldManager: "kubectl" });
    await promise;
    times.push(performance.now() - startedAt);
    written.delete(shard);
    await pause(50);
  }
  await mirror.stop();
  return times.toSorted((left, right) => left - right);
}

async function main(): Promise<void> {
  const scale = readScale();
  const directory = await mkdtemp(join(tmpdir(), "mailboat-operator-bench-"));
  const stage = await OperatorStage.openIn(directory);
  // As it ships: the sources cost 75 MiB more, for the compiler's sake.
  const bundles = join(directory, "bundles");
  await mkdir(bundles);
  await bundlePrograms(bundles);
  const pods = await startPods(stage.client);
  try {
    const program = join(bundles, "operator/main.js");
    const as = startAsIn(await deployment());
    say("as in the chart", { flags: as.nodeFlags.join(" "), ...as.env });
    await measure({ stage, scale, start: () => stage.operator({ main: program, ...as }) });
  } finally {
    await pods.stop();
    await stage.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function deployment(): Promise<Rendered> {
  const found = (await provideHelm()).render().find(({ kind }) => kind === "Deployment");
  if (found === undefined) throw new Error("the chart has no Deployment");
  return found;
}

interface Measurement {
  readonly stage: OperatorStage;
  readonly scale: Scale;
  readonly start: () => OperatorProgram;
}

async function measure({ stage, scale, start }: Measurement): Promise<void> {
  say("on the API server", { SenderDomains: scale.domains, MailRelays: scale.relays, namespaces: scale.namespaces });
  const domains = await fill(stage, scale);

  const first = start();
  let startedAt = performance.now();
  await untilAllReady(first, scale);
  const programming = await requestsOf(first);
  say("first programming", {
    seconds: (performance.now() - startedAt) / 1000,
    "CPU seconds": cpuOf(first),
    "peak MiB": memoryOf(first).peakMiB,
    "requests a domain": sum(programming) / scale.domains,
    requests: JSON.stringify(programming),
  });
  await first.stop();

  const second = start();
  startedAt = performance.now();
  await untilLookedAt(second, scale.domains + scale.relays);
  const synced = (performance.now() - startedAt) / 1000;
  const { get = 0, list = 0, ...writes } = await requestsOf(second);
  say("restart, all synced", {
    seconds: synced,
    reads: get + list,
    writes: sum(writes),
    "peak MiB": memoryOf(second).peakMiB,
  });

  await pause(5_000);
  const before = await requestsOf(second);
  const looks = await second.figure("mailboat_operator_reconcile_seconds_count", { kind: "SenderDomain" });
  const times = await change(stage, domains, scale.changes);
  await untilAllReady(second, scale);
  const requests = difference(await requestsOf(second), before);
  const again = await second.figure("mailboat_operator_reconcile_seconds_count", { kind: "SenderDomain" });
  say("change to Secret written", {
    "p50 ms": quantile(times, 0.5),
    "p95 ms": quantile(times, 0.95),
    "max ms": quantile(times, 1),
    "requests a change": sum(requests) / scale.changes,
    "looks at domains a change": (again - looks) / scale.changes,
    requests: JSON.stringify(requests),
  });
  const cpu = cpuOf(second);
  await pause(20_000);
  say("at rest", {
    "CPU percent": ((cpuOf(second) - cpu) / 20) * 100,
    MiB: memoryOf(second).nowMiB,
    "peak MiB": memoryOf(second).peakMiB,
    "of it files": memoryOf(second).filesMiB,
    "of it heap": (await second.figure("nodejs_heap_size_used_bytes")) / 2 ** 20,
    "outside the heap": (await second.figure("nodejs_external_memory_bytes")) / 2 ** 20,
  });
  await second.stop();
}

await main();
