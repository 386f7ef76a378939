/** Conversations made by grammars, several at a time, against the real relay, and what has to be true of it meanwhile and at the end. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import fc from "fast-check";
import { credentialFor, user, type RelayPlan } from "../configuration.ts";
import { makeCertificate, makeEd25519Key, makeRsaKey } from "../keys.ts";
import { NextHop } from "../nexthop.ts";
import { RelayProgram } from "../relay.ts";
import { makeResultsDirectory } from "../results.ts";
import { signingIssuer } from "../tokens.ts";
import { until } from "../until.ts";
import { grantedDomains } from "./addresses.ts";
import { conversation } from "./conversations.ts";
import { Ledger } from "./ledger.ts";
import { play, type FuzzTarget } from "./play.ts";
import { trustedByProxy } from "./proxyheaders.ts";
import { tokenTerms } from "./saslexchanges.ts";

/** Of a pod; see operator/mailrelay/objects/podtemplate.ts. */
const boundBytes = 512 * 2 ** 20;

export interface FuzzWish {
  /** `import.meta.url` of the test. */
  readonly file: string;
  /** Runs of a few conversations each. */
  readonly runs: number;
  /** Those runs again, each time with other conversations, for at least so long. */
  readonly minutes: number;
  /** Of the first runs; chosen by chance when absent. */
  readonly seed: number | undefined;
}

const listeners: NonNullable<RelayPlan["listeners"]> = [
  { name: "submission", port: 0, tlsMode: "StartTLS", authentication: "Required", trustedNetworks: [] },
  { name: "submissions", port: 0, tlsMode: "Implicit", authentication: "Required", trustedNetworks: [] },
  { name: "smtp", port: 0, tlsMode: "StartTLS", authentication: "Optional", trustedNetworks: ["127.64.0.0/10"] },
  {
    name: "balanced",
    port: 0,
    tlsMode: "StartTLS",
    authentication: "Optional",
    trustedNetworks: [trustedByProxy],
    proxyProtocol: { trustedNetworks: ["127.0.0.0/8"] },
  },
];

function planOf(directory: string, hop: NextHop): RelayPlan {
  const keys = [makeRsaKey("rsa"), makeEd25519Key("ed")];
  const others = [credentialFor("others/app", "others", "the password of others")];
  return {
    nextHops: [hop.address],
    domains: [
      ...grantedDomains.map((domain) => ({ domain, keys })),
      { domain: "others.example", keys, trustedNetworks: false, credentials: others },
    ],
    certificate: makeCertificate(directory, "relay.example.net"),
    listeners,
    limits: { messageSizeBytes: 40_000 },
    tokenIssuers: [{ kind: "ServiceAccounts", ...tokenTerms, keys: [signingIssuer("ES256", "known").key] }],
  };
}

/** Addresses in turn: what the relay remembers of a loud client is not to be what the next one meets. */
function addresses(): (isNeighbour: boolean) => string {
  let count = 0;
  return (isNeighbour) => {
    count = (count % 4_000_000) + 1;
    return `127.${(isNeighbour ? 64 : 128) + (count >> 16)}.${(count >> 8) & 255}.${count & 255}`;
  };
}

/** How often what came about. */
export async function fuzz(
  t: TestContext,
  { file, runs, minutes, seed }: FuzzWish,
): Promise<ReadonlyMap<string, number>> {
  const directory = makeResultsDirectory(file, "relay");
  const hop = await NextHop.start();
  t.after(() => hop.stop());
  const relay = await RelayProgram.start({ directory, plan: planOf(directory, hop), ports: { balanced: 0 } });
  t.after(async () => {
    await relay.program.kill("SIGKILL");
  });
  const counts = new Map<string, number>();
  const target: FuzzTarget = {
    port: (listener) => relay.port(listener),
    ledger: new Ledger(hop),
    user,
    address: addresses(),
    count: (what) => counts.set(what, (counts.get(what) ?? 0) + 1),
  };
  const several = fc.array(conversation, { minLength: 1, maxLength: 8 });
  const property = fc.asyncProperty(several, async (conversations) => {
    const played = await Promise.allSettled(conversations.map(async (one) => play(target, one)));
    const failed = played.find((one) => one.status === "rejected");
    // What is left of a run that failed is not to make the next, smaller one fail.
    await target.ledger.settle().catch((error: unknown) => {
      if (failed === undefined) throw error;
    });
    if (failed !== undefined) throw failed.reason;
    assert.equal(relay.program.child.exitCode, null, "the relay has ended");
  });
  const end = performance.now() + minutes * 60_000;
  // A failure tells what was said; a smaller one would have to be found against a relay that is no longer new.
  const parameters = { numRuns: runs, endOnFailure: true };
  await fc.assert(property, seed === undefined ? parameters : { ...parameters, seed });
  while (performance.now() < end) await fc.assert(property, parameters);
  await until("an empty spool", async () => (await relay.status()).spool.queuedRecipients === 0);
  await target.ledger.settle();
  counts.set("message settled", target.ledger.settled);
  assert.ok(relay.peakMemoryBytes() < boundBytes, `the relay took ${relay.peakMemoryBytes()} bytes`);
  assert.deepEqual(relay.program.lines.filter(isAlarm), []);
  assert.equal(await relay.stop(), 0);
  return counts;
}

/** pino's levels from error on, and what is no line of the log at all. */
function isAlarm(line: string): boolean {
  return !line.startsWith("{") || /"level":"?(?:error|fatal|[56]0)/.test(line);
}
