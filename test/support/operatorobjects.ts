/** Objects for tests, made from manifests as people write them, so that defaults are the schema's. */
import { mailRelay, type MailRelay } from "../../api/mailrelay.ts";
import { senderDomain, type SenderDomain } from "../../api/senderdomain.ts";
import { documentVersions } from "../../api/relayconfig.ts";
import type { RelayReport } from "../../api/relayreport.ts";
import { release } from "../../runtime/release.ts";
import type { ConfigMap, Secret, Stored } from "../../operator/kube/objects.ts";
import { encodeData } from "../../operator/kube/secret.ts";
import { noIssuers } from "../../operator/issuers/issuer.ts";
import type { RelayWorld } from "../../operator/mailrelay/world.ts";
import { usualSecretsRole } from "../../operator/installation/rights.ts";
import type { DomainWorld } from "../../operator/senderdomain/world.ts";
import type { IssuedCertificate } from "../../operator/trust/certificate.ts";
import { type Installation, usualPods } from "../../operator/installation/installation.ts";
import type { ClaimFact, PodFact } from "../../operator/pods/facts.ts";

export const now = Date.parse("2026-11-23T12:00:00Z");

export const installation: Installation = {
  image: "mailboat-relay",
  ownImage: "mailboat-relay",
  pods: usualPods,
  className: "mailboat",
  clusterDomain: "cluster.local",
  certificateNames: ["localhost"],
  addressBook: new Map([["capture.mailboat.localhost", { host: "127.0.0.1", port: 2599 }]]),
  namespace: "mailboat-system",
  podHost: undefined,
  serviceAccount: "mailboat-operator",
  secretsRole: usualSecretsRole,
};

export function relayOf(spec: object = {}): Stored<MailRelay> {
  const relay = mailRelay.parse({
    apiVersion: "mailboat.dev/v1alpha1",
    kind: "MailRelay",
    metadata: { name: "outbound", namespace: "mail", uid: "relay-uid", generation: 3 },
    spec: {
      hostname: "relay.example.com",
      listeners: [
        { name: "submission", port: 587 },
        { name: "smtp", port: 25, authentication: "Optional", trustedNetworks: ["10.0.0.0/8"] },
      ],
      delivery: { smarthosts: [{ name: "first", host: "capture.mailboat.localhost", port: 25, tlsMode: "None" }] },
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
      senders: [{ name: "networks", trustedNetworks: true }],
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

export function configMapOf(fixture: Pick<SecretFixture, "name" | "namespace" | "values">): ConfigMap {
  const { name, namespace = "mail", values } = fixture;
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace, uid: `uid-${name}` },
    data: encodeData(values),
  };
}

/** The Secret of an authority that clients trust, that is not near its end, and that a person gave: it has no RSA key beside it. */
export function authoritySecretOf({ certificate, privateKey }: IssuedCertificate): Secret {
  const values = { "tls.crt": certificate, "tls.key": privateKey };
  return secretOf({ name: "mailboat-ca", namespace: "mailboat-system", values });
}

/** The Secret of the authority of the operator and its pods. */
export function internalAuthoritySecretOf({ certificate, privateKey }: IssuedCertificate): Secret {
  const values = { "tls.crt": certificate, "tls.key": privateKey, "ca.crt": certificate };
  return secretOf({ name: "mailboat-internal-ca", namespace: "mailboat-system", values });
}

export function relayWorld(world: Partial<RelayWorld> = {}): RelayWorld {
  return {
    now,
    hasTurn: false,
    installation,
    relay: relayOf(),
    credentials: { documents: [], problems: [] },
    secrets: new Map(),
    configMaps: new Map(),
    authority: undefined,
    certificate: undefined,
    internalAuthority: undefined,
    peer: undefined,
    configuration: undefined,
    statefulSet: undefined,
    service: undefined,
    networkPolicy: undefined,
    shards: new Map(),
    domains: new Set(),
    hasLimits: false,
    unseen: new Map(),
    sight: { kind: "whole" },
    contests: [],
    pods: [],
    claims: [],
    kinds: new Set(),
    doubts: new Map(),
    issuance: undefined,
    forbidden: new Set(),
    rejections: [],
    isOwnForbidden: false,
    areNamespacesHidden: false,
    issuers: noIssuers,
    figures: undefined,
    recommendations: [],
    ...world,
  };
}

export function domainWorld(world: Partial<DomainWorld> = {}): DomainWorld {
  return {
    now,
    installation,
    domain: domainOf(),
    relay: relayOf({ tenants: [{ name: "own", namespaces: { from: "Same" }, may: ["Smarthosts"] }] }),
    misfit: undefined,
    relaySight: { kind: "whole" },
    unseenHolder: undefined,
    namespaceLabels: {},
    rivals: [],
    secrets: new Map(),
    configMaps: new Map(),
    managedKeys: [],
    credentials: { documents: [], problems: [] },
    forbidden: new Set(),
    isRelayForbidden: false,
    shard: undefined,
    rejections: [],
    previous: undefined,
    loaded: undefined,
    mounted: undefined,
    ...world,
  };
}

export interface ReportFixture {
  readonly revision?: string;
  readonly configurationError?: string;
  readonly fingerprint?: string;
  readonly queued?: number;
  readonly oldestDueTime?: string;
  readonly oldestAcceptedTime?: string;
  /** `undefined` is of a relay from before they told. */
  readonly lateMessages?: number | undefined;
  /** The same, of those over an hour and over a day. */
  readonly overHourMessages?: number | undefined;
  readonly overDayMessages?: number | undefined;
  readonly capturedMessages?: number;
  readonly draining?: boolean;
  /** Implies draining. */
  readonly drain?: RelayReport["drain"];
  /** The newest version of the documents; `undefined` is of a relay from before they told. */
  readonly reads?: number | undefined;
}

export function reportOf(fixture: ReportFixture = {}): RelayReport {
  const { revision = "r1", configurationError, fingerprint, queued = 0, oldestDueTime, drain } = fixture;
  const { draining = drain !== undefined, oldestAcceptedTime, capturedMessages = 0 } = fixture;
  const ages = { lateMessages: 0, overHourMessages: 0, overDayMessages: 0, ...fixture };
  const { lateMessages, overHourMessages, overDayMessages } = ages;
  const newest = "reads" in fixture ? fixture.reads : documentVersions.newest;
  const certificate = { fingerprint: fingerprint ?? "", notAfter: "2027-01-01T00:00:00Z", names: [] };
  return {
    version: 1,
    ...(newest === undefined ? {} : { documents: { oldest: documentVersions.oldest, newest }, release }),
    revision,
    ...(configurationError === undefined ? {} : { configurationError }),
    ...(fingerprint === undefined ? {} : { certificate }),
    spool: {
      queuedRecipients: queued,
      queuedMessages: queued,
      ...(oldestDueTime === undefined ? {} : { oldestDueTime }),
      ...(oldestAcceptedTime === undefined ? {} : { oldestAcceptedTime }),
      ...(lateMessages === undefined ? {} : { lateMessages }),
      ...(overHourMessages === undefined ? {} : { overHourMessages }),
      ...(overDayMessages === undefined ? {} : { overDayMessages }),
      capturedMessages,
      usedBytes: 0,
      capacityBytes: 1,
      full: false,
      spoolId: "spool-a",
    },
    draining,
    ...(drain === undefined ? {} : { drain }),
    acceptedMessages: 0,
    startedAt: "2026-11-23T12:00:00Z",
  };
}

/** A pod that runs and answers; `report: undefined` makes it silent. */
export function podOf(name: string, fact: Partial<PodFact> = {}): PodFact {
  const report = "report" in fact ? fact.report : reportOf();
  return {
    name,
    uid: `uid-${name}`,
    ready: true,
    unreadySince: undefined,
    isGoing: false,
    phase: "Running",
    hindrance: undefined,
    serving: true,
    annotatedRevision: undefined,
    annotatedAt: undefined,
    acceptedPerSecond: undefined,
    report,
    template: undefined,
    reads: report === undefined ? undefined : (report.documents?.newest ?? documentVersions.oldest),
    administration: { host: "10.0.0.9", port: 9465 },
    ordered: undefined,
    orderFailure: undefined,
    ...fact,
  };
}

export function claimOf(ordinal: number, fact: Partial<ClaimFact> = {}): ClaimFact {
  return {
    name: `spool-outbound-${ordinal}`,
    ordinal,
    size: "10Gi",
    storageClassName: "standard",
    isBound: true,
    isGoing: false,
    isRetained: false,
    queued: undefined,
    emptySpool: undefined,
    growthRefused: undefined,
    ...fact,
  };
}

/** The Ed25519 key of RFC 8463 appendix A.2. */
export const ed25519Key =
  "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";

/** Certificate of an authority that is valid at `now` and for a hundred years. */
export const authorityPem = `-----BEGIN CERTIFICATE-----
MIIBaTCCAQ+gAwIBAgIQAZ2mzp6wffNt5mXETp4jfTAKBggqhkjOPQQDAjASMRAw
DgYDVQQDEwdUZXN0IENBMCAXDTI2MTEyMzExNTUwMFoYDzIxMjYxMDMwMTIwMDAw
WjASMRAwDgYDVQQDEwdUZXN0IENBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
7hSC2HNM1G19xWSfD76t6inMK/l8vCD/s8mfVy5Ep8v9gE5WZthcBmV/g26B2fN1
EokNBYOZHGHffnTqw4Ag86NFMEMwEgYDVR0TAQH/BAgwBgEB/wIBADAOBgNVHQ8B
Af8EBAMCAQYwHQYDVR0OBBYEFE95rxhWWwdqUCQH8LiKnITriMBBMAoGCCqGSM49
BAMCA0gAMEUCIHvLbFbrgka4Vx0I7YPrWsjfzudZCehgtDVBvmuvV1jYAiEA1CRA
bBBHheGxJEIL3maqDvQDZRnMTULOgoBbQfQTs1E=
-----END CERTIFICATE-----
`;
