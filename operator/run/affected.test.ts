import assert from "node:assert/strict";
import { test } from "node:test";
import { relayLabel } from "../../api/labels.ts";
import { mailRelay } from "../../api/mailrelay.ts";
import { senderDomain } from "../../api/senderdomain.ts";
import { Store } from "../kube/cache/store.ts";
import type { RawObject } from "../kube/client/resource.ts";
import { type ClusterChange, newsOf, type ObjectChange } from "../kube/cluster/news.ts";
import { affectedBy, type Lookup } from "./affected.ts";
import { indexes } from "./indexes.ts";

const apiVersion = "mailboat.dev/v1alpha1";

interface Seen {
  readonly namespace?: string;
  readonly name: string;
  readonly spec?: object;
  readonly status?: object;
  readonly metadata?: object;
}

function relay({ namespace = "mail", name, spec = {}, status, metadata = {} }: Seen): RawObject {
  const listeners = [{ name: "submission", port: 587 }];
  const manifest = {
    apiVersion,
    kind: "MailRelay",
    metadata: { namespace, name },
    spec: { hostname: "r.example", listeners, ...spec },
  };
  return { ...mailRelay.parse(manifest), metadata: { namespace, name, uid: name, generation: 1, ...metadata }, status };
}

function domain({ namespace = "mail", name, spec = {}, status, metadata = {} }: Seen): RawObject {
  const senders = [{ name: "networks", trustedNetworks: true }];
  const common = { domain: `${name}.example`, relayRef: { name: "one", namespace: "mail" }, senders };
  const manifest = { apiVersion, kind: "SenderDomain", metadata: { namespace, name }, spec: { ...common, ...spec } };
  return {
    ...senderDomain.parse(manifest),
    metadata: { namespace, name, uid: name, generation: 1, ...metadata },
    status,
  };
}

const programmed = (is: string): object => ({ conditions: [{ type: "Programmed", status: is }] });
const selects = (labels: object): object => ({
  senders: [{ name: "logins", credentials: { secretSelector: { matchLabels: labels } } }],
});

const domains = [
  domain({ name: "a", status: programmed("True") }),
  domain({ name: "b", status: programmed("False") }),
  domain({
    name: "c",
    namespace: "shop",
    spec: { domain: "a.example", dkim: { keys: [{ selector: "s", secretRef: { name: "key" } }] } },
    status: programmed("True"),
  }),
  domain({ name: "d", namespace: "shop", spec: selects({ app: "d" }), status: programmed("True") }),
  domain({
    name: "e",
    namespace: "shop",
    spec: { ...selects({ app: "e" }), relayRef: { name: "two", namespace: "mail" } },
  }),
];
const relays = [
  relay({ name: "one", spec: { tls: { secretRef: { name: "tls" } } } }),
  relay({
    name: "two",
    spec: {
      identities: { credentials: { secretSelector: { matchLabels: { app: "two" } } } },
      tracing: { endpoint: "https://collector:4318", caRef: { kind: "ConfigMap", name: "collector" } },
      tenants: [
        { name: "own", namespaces: { from: "Same" } },
        { name: "others", namespaces: { from: "Selector", selector: { matchLabels: { team: "shop" } } } },
      ],
    },
  }),
];

const stores = {
  MailRelay: storeOf("MailRelay", relays),
  SenderDomain: storeOf("SenderDomain", domains),
} as const;

function storeOf(kind: "MailRelay" | "SenderDomain", objects: readonly RawObject[]): Store<RawObject> {
  const byNamespace = { namespace: ({ metadata }: RawObject) => [metadata.namespace ?? ""] };
  const store = new Store<RawObject>({ indexes: { ...byNamespace, ...indexes[kind] } });
  for (const object of objects) store.put({ ...object, metadata: { ...object.metadata, resourceVersion: "1" } });
  return store;
}

const lookup: Lookup = {
  find: (kind, index, value) => stores[kind].find(index, value),
  all: (kind) => [...stores[kind].values()],
};

type ObjectSeen = Partial<ObjectChange> & Pick<ObjectChange, "kind" | "name">;

/** As a watch tells it; undefined where it is no news. */
function told(seen: ObjectSeen): ClusterChange | undefined {
  const change = { namespace: "mail", before: undefined, after: undefined, key: "", ...seen };
  const news = newsOf(change.kind, change);
  return news === undefined ? undefined : { what: "object", ...change, news };
}

function keysFor(change: ClusterChange | ObjectSeen): string {
  const whole = "kind" in change && "name" in change ? told(change) : change;
  const keys = whole === undefined ? [] : affectedBy({ change: whole, lookup, operatorNamespace: "system" });
  return [...keys].sort().join(" ");
}

const one = relay({ name: "one" });
const a = domain({ name: "a" });
const moved = domain({ name: "a", spec: { domain: "b.example" }, metadata: { generation: 2 } });
const secret = (labels: Readonly<Record<string, string>>): RawObject => ({
  metadata: { name: "s", namespace: "shop", labels },
});
const ready = (revision: string, intended = revision): object => ({
  pods: [{ name: "one-0", ready: true, revision }],
  revision: intended,
});
const mixed = (...revisions: readonly string[]): object => ({
  pods: revisions.map((revision, index) => ({ name: `one-${index}`, ready: true, revision })),
  revision: "2",
});

const well = { conditions: ["Accepted", "ResolvedRefs"].map((type) => ({ type, status: "True" })) };

const limiting = (...limited: readonly string[]): object => ({ ...ready("2"), limited });

const rows: readonly (readonly [string, Parameters<typeof keysFor>[0], string])[] = [
  [
    "a domain that stays where it is looks at itself alone",
    { kind: "SenderDomain", name: "a", before: a, after: { ...a, metadata: { ...a.metadata, generation: 2 } } },
    "SenderDomain/mail/a",
  ],
  [
    "a domain that has sent what it may is told so, and one of which that is over",
    {
      kind: "MailRelay",
      name: "one",
      before: { ...one, status: limiting("d.example", "e.example") },
      after: { ...one, status: limiting("a.example", "e.example") },
    },
    // b waits for the pods; a.example is held by two.
    "SenderDomain/mail/a SenderDomain/mail/b SenderDomain/shop/c SenderDomain/shop/d",
  ],
  [
    "a domain hears when an identity of its senders has sent what it may",
    {
      kind: "MailRelay",
      name: "one",
      before: { ...one, status: limiting() },
      after: { ...one, status: limiting("sender apps of d.example") },
    },
    // b waits for the pods.
    "SenderDomain/mail/b SenderDomain/shop/d",
  ],
  [
    "all domains of a namespace that has sent what it may are told so",
    {
      kind: "MailRelay",
      name: "one",
      before: { ...one, status: limiting() },
      after: { ...one, status: limiting("namespace shop") },
    },
    "SenderDomain/mail/b SenderDomain/shop/c SenderDomain/shop/d SenderDomain/shop/e",
  ],
  [
    "a domain that moves tells its relay, its old rivals and its new ones",
    { kind: "SenderDomain", name: "a", before: a, after: moved },
    "MailRelay/mail/one SenderDomain/mail/a SenderDomain/mail/b SenderDomain/shop/c",
  ],
  [
    "a relay that is new tells all its domains",
    { kind: "MailRelay", name: "one", after: one },
    "MailRelay/mail/one SenderDomain/mail/a SenderDomain/mail/b SenderDomain/shop/c SenderDomain/shop/d",
  ],
  [
    "pods that load a new revision are news for the domains that wait for it",
    { kind: "MailRelay", name: "one", before: { ...one, status: ready("1") }, after: { ...one, status: ready("2") } },
    "SenderDomain/mail/b",
  ],
  [
    "documents that are written in another version are written of all domains",
    {
      kind: "MailRelay",
      name: "one",
      before: { ...one, status: { documentVersion: 1 } },
      after: { ...one, status: { documentVersion: 2 } },
    },
    "SenderDomain/mail/a SenderDomain/mail/b SenderDomain/shop/c SenderDomain/shop/d",
  ],
  [
    "pods that have a new revision still to load are none",
    {
      kind: "MailRelay",
      name: "one",
      before: { ...one, status: ready("1") },
      after: { ...one, status: ready("1", "2") },
    },
    "",
  ],
  [
    "nor is the first of several pods that loads it",
    {
      kind: "MailRelay",
      name: "one",
      before: { ...one, status: mixed("1", "1") },
      after: { ...one, status: mixed("2", "1") },
    },
    "",
  ],
  [
    "the last of them is",
    {
      kind: "MailRelay",
      name: "one",
      before: { ...one, status: mixed("2", "1") },
      after: { ...one, status: mixed("2", "2") },
    },
    "SenderDomain/mail/b",
  ],
  [
    "a relay that goes back to what its pods have is news for the domains that wait for it",
    {
      kind: "MailRelay",
      name: "one",
      before: { ...one, status: ready("1", "2") },
      after: { ...one, status: ready("1") },
    },
    "SenderDomain/mail/b",
  ],
  [
    "pods of a relay that keeps its configuration are news when they have loaded it",
    {
      kind: "MailRelay",
      name: "one",
      before: { ...one, status: ready("0", "2") },
      after: { ...one, status: ready("1", "2") },
    },
    "SenderDomain/mail/b",
  ],
  [
    "the first ready pod is news for the domains that wait for it",
    { kind: "MailRelay", name: "one", before: { ...one, status: { pods: [] } }, after: { ...one, status: ready("2") } },
    "SenderDomain/mail/b",
  ],
  [
    "the end of the last ready pod is news for all domains",
    { kind: "MailRelay", name: "one", before: { ...one, status: ready("2") }, after: { ...one, status: { pods: [] } } },
    "SenderDomain/mail/a SenderDomain/mail/b SenderDomain/shop/c SenderDomain/shop/d",
  ],
  [
    "the first ready pod of a relay that is well is none before it has what was rendered last",
    {
      kind: "MailRelay",
      name: "one",
      before: { ...one, status: { pods: [] } },
      after: { ...one, status: { ...ready("1", "2"), ...well } },
    },
    "",
  ],
  [
    "nor is another revision on its way to that",
    {
      kind: "MailRelay",
      name: "one",
      before: { ...one, status: { ...ready("0", "2"), ...well } },
      after: { ...one, status: { ...ready("1", "2"), ...well } },
    },
    "",
  ],
  [
    "that revision is",
    {
      kind: "MailRelay",
      name: "one",
      before: { ...one, status: { ...ready("1", "2"), ...well } },
      after: { ...one, status: { ...ready("2"), ...well } },
    },
    "SenderDomain/mail/b",
  ],
  [
    "a Secret that a domain names",
    { kind: "Secret", namespace: "shop", name: "key", after: secret({}) },
    "SenderDomain/shop/c",
  ],
  ["a Secret that a relay names", { kind: "Secret", name: "tls", after: secret({}) }, "MailRelay/mail/one"],
  [
    "a Secret whose labels a domain selects",
    { kind: "Secret", namespace: "shop", name: "s", after: secret({ app: "d", other: "x" }) },
    "SenderDomain/shop/d",
  ],
  [
    "a Secret that changed its labels",
    { kind: "Secret", namespace: "shop", name: "s", before: secret({ app: "d" }), after: secret({ app: "e" }) },
    "SenderDomain/shop/d SenderDomain/shop/e",
  ],
  [
    "a shard whose document somebody else has changed",
    {
      what: "spoilt",
      shard: { metadata: { namespace: "mail", name: "one-domains-00", labels: { [relayLabel]: "one" } } },
      dataKeys: ["b.example.json"],
    },
    "MailRelay/mail/one SenderDomain/mail/b",
  ],
  ["a Secret that nobody asked for", { kind: "Secret", namespace: "shop", name: "s", after: secret({ app: "x" }) }, ""],
  [
    "Secrets of a namespace that can be read now, for domains of other namespaces as well",
    { what: "right", kind: "Secret", namespace: "mail" },
    "MailRelay/mail/one MailRelay/mail/two SenderDomain/mail/a SenderDomain/mail/b SenderDomain/shop/c SenderDomain/shop/d SenderDomain/shop/e",
  ],
  [
    "the operator's own Secrets that can be read now are news for every relay",
    { what: "right", kind: "Secret", namespace: "system" },
    "MailRelay/mail/one MailRelay/mail/two",
  ],
  [
    "a namespace tells its domains, their relays and their rivals",
    { what: "namespace", namespace: "shop" },
    "MailRelay/mail/one MailRelay/mail/two SenderDomain/mail/a SenderDomain/shop/c SenderDomain/shop/d SenderDomain/shop/e",
  ],
  [
    "the right to see namespaces is news for relays that select them by label, and for their domains",
    { what: "right", kind: "Namespace", namespace: undefined },
    "MailRelay/mail/two SenderDomain/shop/e",
  ],
  [
    "the right to a kind of others is news for the relays of the namespace",
    { what: "right", kind: "Certificate", namespace: "mail" },
    "MailRelay/mail/one MailRelay/mail/two",
  ],
  [
    "a namespace that is seen again is news for every relay, and for domains there and of relays there",
    { what: "sight", namespace: "shop" },
    "MailRelay/mail/one MailRelay/mail/two SenderDomain/shop/c SenderDomain/shop/d SenderDomain/shop/e",
  ],
  ["a ConfigMap that a relay names", { kind: "ConfigMap", name: "collector", after: secret({}) }, "MailRelay/mail/two"],
  ["a Secret of the name of such a ConfigMap", { kind: "Secret", name: "collector", after: secret({}) }, ""],
  [
    "a domain of which only the status has changed is no news, not even for itself",
    { kind: "SenderDomain", name: "a", before: a, after: { ...a, status: programmed("True") } },
    "",
  ],
  [
    "a pod is its relay's",
    { kind: "Pod", name: "one-0", after: { metadata: { name: "one-0", labels: { [relayLabel]: "one" } } } },
    "MailRelay/mail/one",
  ],
];

for (const [name, change, keys] of rows) {
  test(name, () => assert.equal(keysFor(change), keys));
}

test("affectedBy() answers for a relay that comes: those whose objects would have its names", () => {
  const rival = relay({ name: "three-pods" });
  const store = storeOf("MailRelay", [...relays, rival]);
  const withRival: Lookup = {
    find: (kind, index, value) => (kind === "MailRelay" ? store : stores.SenderDomain).find(index, value),
    all: () => [],
  };
  const after = relay({ name: "three" });
  const change = told({ kind: "MailRelay", name: "three", after });
  assert.ok(change !== undefined);
  const keys = affectedBy({ change, lookup: withRival, operatorNamespace: "mailboat-system" });
  assert.deepEqual(keys, new Set(["MailRelay/mail/three", "MailRelay/mail/three-pods"]));
});
