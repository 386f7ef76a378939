/**
 * A small Internet: a name server, MX hosts on addresses of this machine's loopback net that share one port, and a relay
 * that delivers by MX.
 */
import type { TestContext } from "node:test";
import type { RelayDocument } from "../../api/relayconfig.ts";
import { TestDns, type Zone } from "./dns.ts";
import { makeCertificate, makeEd25519Key } from "./keys.ts";
import { NextHop, type Script } from "./nexthop.ts";
import { RelayProgram } from "./relay.ts";
import { makeResultsDirectory } from "./results.ts";
import { WireClient } from "./send.ts";
import { sender, simpleMessage } from "./stage.ts";

export interface MailWorldOptions {
  /** `import.meta.url` of the test. */
  readonly file: string;
  readonly name?: string;
  readonly zone: Zone;
  /** Address to script. */
  readonly hosts: Readonly<Record<string, Script>>;
  readonly delivery?: Partial<RelayDocument["delivery"]>;
  readonly senderDomains?: readonly string[];
}

export interface MailWorld {
  readonly dns: TestDns;
  readonly relay: RelayProgram;
  readonly port: number;
  host(address: string): NextHop;
  /** Sends one message and expects that it is taken. */
  send(recipients: readonly string[], subject: string, from?: string): Promise<void>;
}

export async function openMailWorld(t: TestContext, options: MailWorldOptions): Promise<MailWorld> {
  const directory = makeResultsDirectory(options.file, options.name ?? "relay");
  const dns = await TestDns.start(options.zone);
  t.after(() => dns.stop());
  const hosts = await startHosts(options.hosts);
  t.after(() => Promise.all([...hosts.values()].map((host) => host.stop())));
  const [first] = hosts.values();
  if (first === undefined) throw new Error("a mail world needs a host");
  const { port } = first.address;
  const keys = [makeEd25519Key("ed")];
  const relay = await RelayProgram.start({
    directory,
    env: { MAILBOAT_MX_PORT: String(port) },
    plan: {
      nextHops: [],
      domains: (options.senderDomains ?? ["example.com"]).map((domain) => ({ domain, keys })),
      certificate: makeCertificate(directory, "relay.example.net"),
      delivery: { dnsServers: [dns.server], ...options.delivery },
    },
  });
  t.after(async () => {
    await relay.program.kill("SIGKILL");
  });
  let client: WireClient | undefined;
  return {
    dns,
    relay,
    port,
    host(address) {
      const host = hosts.get(address);
      if (host === undefined) throw new Error(`nobody is at ${address}`);
      return host;
    },
    async send(recipients, subject, from = sender) {
      if (client === undefined || client.isClosed) {
        client = await WireClient.open(relay.port("smtp"));
        await client.hello();
      }
      const reply = await client.send(from, recipients, simpleMessage(subject, from));
      if (reply.code !== 250) throw new Error(`${subject}: ${reply.code} ${reply.text}`);
    },
  };
}

/** The first takes a port of the system's choice; where another cannot have it on its address, all begin anew. */
async function startHosts(scripts: Readonly<Record<string, Script>>): Promise<ReadonlyMap<string, NextHop>> {
  for (let tries = 0; ; tries += 1) {
    const hosts = new Map<string, NextHop>();
    try {
      let port = 0;
      for (const [address, script] of Object.entries(scripts)) {
        const host = await NextHop.start(script, port, address);
        hosts.set(address, host);
        ({ port } = host.address);
      }
      return hosts;
    } catch (error) {
      await Promise.all([...hosts.values()].map((host) => host.stop()));
      if (tries === 10) throw error;
    }
  }
}
