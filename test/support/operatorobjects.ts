/** Objects for tests, made from manifests as people write them, so that defaults are the schema's. */
import { mailRelay, type MailRelay } from "../../api/mailrelay.ts";
import { senderDomain, type SenderDomain } from "../../api/senderdomain.ts";
import type { Secret, Stored } from "../../operator/kube/objects.ts";
import { encodeData } from "../../operator/kube/secret.ts";
import type { Place, RelayWorld } from "../../operator/mailrelay/world.ts";
import type { DomainWorld } from "../../operator/senderdomain/world.ts";

export const now = Date.parse("2026-11-23T12:00:00Z");

export const place: Place = {
  image: "mailboat-relay",
  certificateNames: ["localhost"],
  addressBook: new Map([["capture.mailboat.localhost", { host: "127.0.0.1", port: 2599 }]]),
  namespace: "mailboat-system",
};

export function relayOf(spec: object = {}): Stored<MailRelay> {
  const relay = mailRelay.parse({
    apiVersion: "mailboat.dev/v1alpha1",
    kind: "MailRelay",
    metadata: { name: "outbound", namespace: "mail", uid: "relay-uid", generation: 3 },
    spec: {
      hostname: "relay.example.com",
      listeners: [{ name: "submission", port: 587 }],
      delivery: { smarthosts: [{ host: "capture.mailboat.localhost", port: 25, tlsMode: "None" }] },
      ...spec,
    },
  });
  return relay;
}

export interface DomainFixture {
  readonly name?: string;
  readonly namespace?: string;
  readonly createdAt?: string;
  readonly spec?: object;
}

export function domainOf(fixture: DomainFixture = {}): Stored<SenderDomain> {
  const { name = "example-com", namespace = "mail", createdAt = "2026-11-01T00:00:00Z", spec = {} } = fixture;
  return senderDomain.parse({
    apiVersion: "mailboat.dev/v1alpha1",
    kind: "SenderDomain",
    metadata: { name, namespace, uid: `uid-${name}`, generation: 1, creationTimestamp: createdAt },
    spec: {
      domain: "example.com",
      relayRef: { name: "outbound", namespace: "mail" },
      senders: [{ trustedNetworks: true }],
      ...spec,
    },
  });
}

export interface SecretFixture {
  readonly name: string;
  readonly namespace?: string;
  readonly type?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly values: Readonly<Record<string, string>>;
}

export function secretOf(fixture: SecretFixture): Secret {
  const { name, namespace = "mail", type = "Opaque", labels = {}, values } = fixture;
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace, labels, uid: `uid-${name}` },
    type,
    data: encodeData(values),
  };
}

export function relayWorld(world: Partial<RelayWorld> = {}): RelayWorld {
  return {
    now,
    place,
    relay: relayOf(),
    credentials: { documents: [], problems: [] },
    secrets: new Map(),
    authority: undefined,
    certificate: undefined,
    configuration: undefined,
    statefulSet: undefined,
    shards: new Map(),
    domains: new Set(),
    pods: [],
    ...world,
  };
}

export function domainWorld(world: Partial<DomainWorld> = {}): DomainWorld {
  return {
    now,
    place,
    domain: domainOf(),
    relay: relayOf(),
    namespaceLabels: {},
    rivals: [],
    secrets: new Map(),
    managedKeys: [],
    credentials: { documents: [], problems: [] },
    shard: undefined,
    mounted: undefined,
    ...world,
  };
}

/** The Ed25519 key of RFC 8463 appendix A.2. */
export const ed25519Key =
  "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
