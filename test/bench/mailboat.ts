/** Mailboat as a contestant: one relay process with one domain, RSA-2048, and the sink as its smarthost. */
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { shardCount, shardName, shardText, type DomainDocument, type RelayDocument } from "../../api/relayconfig.ts";
import type { Contestant, ContestantOptions } from "./contestant.ts";
import { createControlGroup } from "./processes.ts";

export async function startMailboat(options: ContestantOptions): Promise<Contestant> {
  const configuration = join(options.directory, "config");
  await writeConfiguration(configuration, options);
  const group = await createControlGroup(`mailboat-${options.port}`);
  const child = group.start([process.execPath, fileURLToPath(new URL("../../relay/main.ts", import.meta.url)), "run"], {
    MAILBOAT_CONFIGURATION_DIR: configuration,
    MAILBOAT_SPOOL_DIR: join(options.directory, "spool"),
    MAILBOAT_LISTEN_HOST: "127.0.0.1",
    MAILBOAT_PORTS: JSON.stringify({ smtp: options.port, http: 0 }),
  });
  if (child.stdout === null) throw new Error("the relay has no standard output");
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.includes('"msg":"ready"')) break;
  }
  child.stdout.resume();
  const { tracing } = options;
  const name = tracing === undefined ? "Mailboat" : `Mailboat, traced at ${tracing.samplingRatio.toFixed(1)}`;
  return { name, port: options.port, cpuSeconds: () => group.cpuSeconds(), stop: () => group.remove() };
}

async function writeConfiguration(directory: string, options: ContestantOptions): Promise<void> {
  const domain: DomainDocument = {
    version: 2,
    senderDomain: { namespace: "bench", name: "example" },
    domain: options.domain,
    keys: [{ selector: "s1", privateKey: options.privateKey }],
    senders: { credentials: [], serviceAccounts: [], clientCertificates: [], trustedNetworks: true },
    localParts: ["*"],
    smarthosts: [],
    limits: {},
  };
  const shards: Record<string, Record<string, string>> = {};
  for (let index = 0; index < shardCount; index += 1) shards[shardName(index)] = {};
  shards[shardName(0)] = { [`${options.domain}.json`]: JSON.stringify(domain) };
  for (const [name, files] of Object.entries(shards)) {
    await mkdir(join(directory, "domains", name), { recursive: true });
    for (const [file, text] of Object.entries(files)) await writeFile(join(directory, "domains", name, file), text);
  }
  await mkdir(join(directory, "configuration"), { recursive: true });
  await mkdir(join(directory, "tls"), { recursive: true });
  const digests = Object.entries(shards).map(([name, files]) => [name, sha256(shardText(files))] as const);
  await writeFile(
    join(directory, "configuration", "relay.json"),
    JSON.stringify(relayOf(options, Object.fromEntries(digests))),
  );
}

function relayOf(options: ContestantOptions, shards: Readonly<Record<string, string>>): RelayDocument {
  return {
    version: 2,
    revision: "bench",
    relay: { namespace: "bench", name: "relay" },
    hostname: "relay.bench.example",
    listeners: [
      {
        name: "smtp",
        port: options.port,
        tlsMode: "None",
        authentication: "Optional",
        trustedNetworks: ["127.0.0.0/8"],
      },
    ],
    credentials: [],
    spool: { capacityBytes: 10 * 2 ** 30, highWatermarkPercent: 85 },
    delivery: {
      mode: "Send",
      allowRecipients: [],
      smarthosts: [{ host: "127.0.0.1", port: options.sinkPort, tlsMode: "None" }],
      fallbackSmarthosts: [],
      retry: { firstMs: 60_000, maxMs: 14_400_000, expireAfterMs: 432_000_000, notifyDelayAfterMs: 14_400_000 },
      destinations: [],
      dnsServers: [],
    },
    limits: { messageSizeBytes: 50 * 2 ** 20, recipients: 1000, connections: 1000, connectionsPerClient: 1000 },
    ...(options.tracing === undefined ? {} : { tracing: { ...options.tracing, headers: {}, trustedNextHops: [] } }),
    shards,
  };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
