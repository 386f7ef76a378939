/**
 * What a connection costs in memory, by what its client does: `node test/bench/connections.ts [--each N] [--kinds plain,tls,...]`.
 *
 * Each kind has a relay of its own, which has worked a little, so that what is warm is not counted. Told is what its resident
 * memory grew by, a connection, and the sum of what pods say in docs/sizing.md.
 */
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { allListeners, user } from "../support/configuration.ts";
import { loopbackOf, StrangeClient } from "../support/idlers.ts";
import { makeCertificate, makeRsaKey } from "../support/keys.ts";
import { NextHop } from "../support/nexthop.ts";
import { RelayProgram } from "../support/relay.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { sendFor } from "../support/strangers.ts";

const kibibyte = 1024;
const login = `AUTH PLAIN ${Buffer.from(`\0${user.name}\0${user.password}`).toString("base64")}\r\n`;
const envelope = "MAIL FROM:<app@example.com>\r\nRCPT TO:<someone@example.org>\r\nDATA\r\n";
const scramFirst = `AUTH SCRAM-SHA-256 ${Buffer.from("n,,n=app,r=fyko+d2lbbFgONRv9qkxdawL").toString("base64")}\r\n`;
const line = `X-Filler: ${"x".repeat(66)}\r\n`;

interface Kind {
  readonly listener: "submission" | "submissions";
  /** After the greeting and EHLO. */
  readonly says: string;
  /** The reply that shows that all of it was read. */
  readonly until: RegExp;
  /** After that, so much at a time. */
  readonly behind?: { readonly text: string; readonly octetsAtOnce: number };
}

const header = (octets: number): string => line.repeat(Math.ceil(octets / line.length));
const kinds: Readonly<Record<string, Kind>> = {
  plain: { listener: "submission", says: "", until: /^250 /m },
  tls: { listener: "submissions", says: "", until: /^250 /m },
  "half a line": {
    listener: "submissions",
    says: "",
    until: /^250 /m,
    behind: { text: "x".repeat(12_000), octetsAtOnce: 12_000 },
  },
  auth: { listener: "submissions", says: scramFirst, until: /^334 /m },
  "logged in": { listener: "submissions", says: login, until: /^235 /m },
  "data, half a header": {
    listener: "submissions",
    says: login + envelope,
    until: /^354 /m,
    behind: { text: header(15_000), octetsAtOnce: 15_000 },
  },
  "data, half a header octet by octet": {
    listener: "submissions",
    says: login + envelope,
    until: /^354 /m,
    behind: { text: header(2000), octetsAtOnce: 1 },
  },
  "data, half a body": {
    listener: "submissions",
    says: login + envelope,
    until: /^354 /m,
    behind: { text: `From: app@example.com\r\n\r\n${header(60_000)}`, octetsAtOnce: 60_000 },
  },
};

async function residentBytes(relay: RelayProgram): Promise<number> {
  // What is garbage goes first.
  await pause(3000);
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${relay.program.pid}/status`, "utf8"))?.[1];
  return Number(resident) * kibibyte;
}

async function measure(name: string, kind: Kind, each: number): Promise<void> {
  const directory = makeResultsDirectory(import.meta.url, `connections-${process.pid}-${name.replaceAll(/\W+/g, "-")}`);
  const hop = await NextHop.start();
  const relay = await RelayProgram.start({
    directory,
    env: { NODE_OPTIONS: "--max-semi-space-size=8" },
    plan: {
      nextHops: [hop.address],
      listeners: allListeners,
      domains: [{ domain: "example.com", keys: [makeRsaKey("rsa")] }],
      certificate: makeCertificate(directory, "relay.example.net"),
      limits: { connections: 8 * each, connectionsPerClient: 8 * each },
    },
  });
  const clients: StrangeClient[] = [];
  try {
    await sendFor(relay, 3000);
    const before = await residentBytes(relay);
    const port = relay.port(kind.listener);
    const tls = kind.listener === "submissions";
    for (let made = 0; made < each; made += 50) {
      const some = Array.from({ length: Math.min(50, each - made) }, (_, at) =>
        StrangeClient.open({ port, tls, from: loopbackOf(made + at) }),
      );
      for (const client of await Promise.all(some)) clients.push(client);
    }
    await Promise.all(
      clients.map(async (client) => {
        await client.says("EHLO client.example\r\n", /^250 /m);
        if (kind.says !== "") await client.says(kind.says, kind.until);
        if (kind.behind !== undefined) await client.trickle(kind.behind);
      }),
    );
    const grown = (await residentBytes(relay)) - before;
    const alive = clients.filter((client) => client.isOpen).length;
    process.stdout.write(
      `${name}: ${alive} connections, ${(grown / each / kibibyte).toFixed(0)} KiB each, ${(before / kibibyte ** 2).toFixed(0)} MiB before\n`,
    );
  } finally {
    for (const client of clients) client.close();
    await relay.program.kill("SIGKILL");
    await hop.stop();
  }
}

const { values } = parseArgs({
  options: {
    each: { type: "string", default: "1000" },
    kinds: { type: "string", default: Object.keys(kinds).join(";") },
  },
});
for (const name of values.kinds.split(";")) {
  const kind = kinds[name];
  if (kind === undefined) throw new Error(`no such kind: ${name}`);
  await measure(name, kind, Number(values.each));
}
