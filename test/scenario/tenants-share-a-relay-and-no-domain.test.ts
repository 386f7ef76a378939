/**
 * Tenants of one relay, from their manifests to the wire: each sends as the domains that it may bring and that name its logins, and in no
 * pair does one send as the other, whatever it writes into manifests of its own. Who of them must be let in is written in a table.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { LocalMode } from "../support/local.ts";
import { NextHop } from "../support/nexthop.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { subjectOf } from "../support/stage.ts";
import { openAs, transact } from "../support/wirelogins.ts";

const directory = makeResultsDirectory(import.meta.url, "local");

interface Tenant {
  readonly namespace: string;
  /** All of them call themselves alike. */
  readonly password: string;
}

const tenants: readonly Tenant[] = ["shop", "billing", "ape", "nobody"].map((namespace) => ({
  namespace,
  password: `of ${namespace}`,
}));

interface Wish {
  readonly namespace: string;
  readonly domain: string;
  /** Whether the relay's tenants let the namespace bring it. */
  readonly reason: "Accepted" | "DomainConflict" | "DomainNotAllowed" | "NamespaceNotAllowed" | "SmarthostsNotAllowed";
  readonly ownWay?: boolean;
}

const wishes: readonly Wish[] = [
  { namespace: "shop", domain: "shop.example", reason: "Accepted" },
  { namespace: "shop", domain: "mail.shop.example", reason: "Accepted", ownWay: true },
  { namespace: "shop", domain: "billing.example", reason: "DomainNotAllowed" },
  { namespace: "billing", domain: "billing.example", reason: "Accepted" },
  { namespace: "billing", domain: "way.billing.example", reason: "SmarthostsNotAllowed", ownWay: true },
  { namespace: "billing", domain: "shop.example", reason: "DomainNotAllowed" },
  { namespace: "billing", domain: "notbilling.example", reason: "DomainNotAllowed" },
  // May bring anything, comes later, and stands before the shop in the alphabet.
  { namespace: "ape", domain: "ape.example", reason: "Accepted" },
  { namespace: "ape", domain: "shop.example", reason: "DomainConflict" },
  { namespace: "nobody", domain: "nobody.example", reason: "NamespaceNotAllowed" },
  { namespace: "nobody", domain: "shop.example", reason: "NamespaceNotAllowed" },
];

function relayManifest(hop: NextHop): string {
  const { host, port } = hop.address;
  return `apiVersion: mailboat.dev/v1alpha1
kind: MailRelay
metadata: {name: outbound, namespace: mail}
spec:
  hostname: relay.mailboat.localhost
  listeners:
    - {name: submissions, port: 465, tlsMode: Implicit, authentication: Required}
  tls: {selfSigned: {}}
  tenants:
    - name: shops
      namespaces: {from: Names, names: [shop]}
      domains: [shop.example, "*.shop.example"]
      may: [Smarthosts]
    - name: billing
      namespaces: {from: Names, names: [billing]}
      domains: [billing.example, "*.billing.example"]
    - {name: others, namespaces: {from: Names, names: [ape]}}
  delivery:
    smarthosts:
      - {name: first, host: ${host}, port: ${port}, tlsMode: None}
  limits: {connectionsPerClient: 200}
`;
}

/** Every tenant selects by the same label, and names its domain after what it is. */
function domainManifest({ namespace, domain, ownWay = false }: Wish, way: NextHop): string {
  const { host, port } = way.address;
  const out = `  smarthosts: [{name: own, host: ${host}, port: ${port}, tlsMode: None}]\n`;
  return `apiVersion: mailboat.dev/v1alpha1
kind: SenderDomain
metadata: {name: ${domain.replaceAll(".", "-")}, namespace: ${namespace}}
spec:
  domain: ${domain}
  relayRef: {name: outbound, namespace: mail}
  dkim: {managed: {algorithms: [Ed25519]}}
  senders:
    - name: logins
      credentials: {secretSelector: {matchLabels: {mailboat.dev/login: app}}}
${ownWay ? out : ""}`;
}

function secretManifest({ namespace, password }: Tenant): string {
  return `apiVersion: v1
kind: Secret
metadata: {name: app, namespace: ${namespace}, labels: {mailboat.dev/login: app}}
type: kubernetes.io/basic-auth
stringData: {username: app, password: ${password}}
`;
}

let hop: NextHop;
let way: NextHop;
let local: LocalMode;
before(async () => {
  hop = await NextHop.start();
  way = await NextHop.start();
  const secrets = tenants.map((tenant): [string, string] => [`${tenant.namespace}.yaml`, secretManifest(tenant)]);
  const [late, first] = [wishes.filter(isLate), wishes.filter((wish) => !isLate(wish))];
  const manifests = { "relay.yaml": relayManifest(hop), ...Object.fromEntries(secrets), ...manifestsOf(first) };
  local = await LocalMode.start({ directory, manifests });
  await judged(first);
  for (const [file, text] of Object.entries(manifestsOf(late))) local.writeManifest(file, text);
  await judged(late);
});
after(async () => {
  await local.program.kill("SIGINT");
  await hop.stop();
  await way.stop();
});

function isLate({ reason }: Wish): boolean {
  return reason === "DomainConflict";
}

function manifestsOf(some: readonly Wish[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    some.map((wish) => [`${wish.namespace}-${wish.domain}.yaml`, domainManifest(wish, way)] as const),
  );
}

/** What may be brought is ready, and of the rest a condition says why not. */
async function judged(some: readonly Wish[]): Promise<void> {
  for (const { namespace, domain, reason } of some) {
    const name = `SenderDomain ${namespace}/${domain.replaceAll(".", "-")}: `;
    const word = reason === "Accepted" ? "Ready=True" : reason;
    await local.program.waitFor(`${name}${word}`, (line) => line.includes(name) && line.includes(word));
  }
}

function entrance(): { readonly port: number; readonly implicitTls: true } {
  return { port: local.port("submissions"), implicitTls: true };
}

/** Of everything that is brought, once. */
const all = [...new Set(wishes.map(({ domain }) => domain))];

test("each tenant sends as what it may bring, in envelope and header, and in no pair as the other", async () => {
  for (const { namespace, password } of tenants) {
    const own = wishes.filter((wish) => wish.namespace === namespace && wish.reason === "Accepted");
    const proofs = [{ kind: "password", username: "app", password } as const];
    // Of domains that are refused no login is taken.
    if (own.length === 0) {
      await assert.rejects(openAs(entrance(), proofs, "PLAIN"), /^Error: PLAIN: 535 5\.7\.8 /);
      continue;
    }
    const client = await openAs(entrance(), proofs, "PLAIN");
    for (const domain of all) {
      const right = own.some((wish) => wish.domain === domain) ? "250 2.6.0" : "550 5.7.1";
      const message = `From: app@${domain}\r\nTo: b@example.org\r\nSubject: ${namespace} ${domain}\r\n\r\nx`;
      for (const sender of [`app@${domain}`, ""]) {
        const reply = await transact(client, [`MAIL FROM:<${sender}>`, "RCPT TO:<b@example.org>"], message);
        assert.ok(reply.startsWith(right), `${namespace} as ${domain}: ${reply}`);
      }
    }
    client.destroy();
  }
});

test("mail goes the way of its own domain only where the relay's owner lets it", async () => {
  const twice = (domains: readonly string[]): readonly string[] => domains.flatMap((domain) => [domain, domain]).sort();
  const accepted = wishes.filter(({ reason }) => reason === "Accepted");
  const nameOf = ({ namespace, domain }: Wish): string => `${namespace} ${domain}`;
  const [others, ways] = [accepted.filter(({ ownWay }) => ownWay !== true), accepted.filter(({ ownWay }) => ownWay)];
  await Promise.all([hop.waitForMails(2 * others.length), way.waitForMails(2 * ways.length)]);
  const subjects = (at: NextHop): readonly string[] => at.mails.map(({ message }) => subjectOf(message)).sort();
  assert.deepEqual(subjects(hop), twice(others.map(nameOf)));
  assert.deepEqual(subjects(way), twice(ways.map(nameOf)));
});
