/** A relay, its keys and the next hop it delivers to: what most scenarios start with and all of them must clean up. */
import type { TestContext } from "node:test";
import { allListeners, type DomainPlan, type RelayPlan } from "./configuration.ts";
import { makeCertificate, makeEd25519Key, makeRsaKey, type DkimKey } from "./keys.ts";
import { NextHop, type Script } from "./nexthop.ts";
import { RelayProgram, type RelayOptions } from "./relay.ts";
import { makeResultsDirectory } from "./results.ts";

export interface StageOptions {
  /** `import.meta.url` of the test. */
  readonly file: string;
  readonly name?: string;
  readonly script?: Script;
  /** Sender domains; all sign with the same two keys. */
  readonly domains?: readonly (string | Omit<DomainPlan, "keys">)[];
  readonly plan?: Partial<RelayPlan>;
  readonly relay?: Omit<RelayOptions, "directory" | "plan">;
}

export interface Stage {
  readonly directory: string;
  readonly hop: NextHop;
  readonly plan: RelayPlan;
  /** The relay that runs now; a test that restarts it puts the new one here. */
  relay: RelayProgram;
  readonly keys: readonly DkimKey[];
  /** TXT records by name. */
  readonly records: Readonly<Record<string, string>>;
  /** Starts the relay again on the same configuration, spool and ports. */
  restart(): Promise<void>;
}

export const sender = "app@example.com";

export async function openStage(t: TestContext, options: StageOptions): Promise<Stage> {
  const directory = makeResultsDirectory(options.file, options.name ?? "relay");
  const hop = await NextHop.start(options.script);
  t.after(() => hop.stop());
  const keys = [makeRsaKey("rsa"), makeEd25519Key("ed")];
  const domains: DomainPlan[] = (options.domains ?? ["example.com"]).map((wish) => ({
    ...(typeof wish === "string" ? { domain: wish } : wish),
    keys,
  }));
  const plan: RelayPlan = {
    nextHops: [hop.address],
    domains,
    certificate: makeCertificate(directory, "relay.example.net"),
    ...options.plan,
  };
  const start = (ports: Readonly<Record<string, number>>): Promise<RelayProgram> =>
    RelayProgram.start({ directory, plan, ports, ...options.relay });
  const stage: Stage = {
    directory,
    hop,
    plan,
    relay: await start({}),
    keys,
    records: Object.fromEntries(
      domains.flatMap(({ domain }) => keys.map((key) => [`${key.selector}._domainkey.${domain}`, key.record])),
    ),
    async restart() {
      const names = (plan.listeners ?? allListeners).map((listener) => listener.name);
      stage.relay = await start(Object.fromEntries(names.map((name) => [name, stage.relay.port(name)])));
    },
  };
  t.after(async () => {
    await stage.relay.program.kill("SIGKILL");
  });
  return stage;
}

/** A small message with a subject to find it by. */
export function simpleMessage(subject: string, from = sender, body = "hello\r\n"): Buffer {
  const fields = [`From: ${from}`, "To: someone@example.org", `Subject: ${subject}`];
  return Buffer.from(`${fields.join("\r\n")}\r\n\r\n${body}`, "latin1");
}

export function subjectOf(message: Buffer): string {
  return /^Subject: ([^\r\n]*)/m.exec(message.subarray(0, 8192).toString("latin1"))?.[1] ?? "";
}
