/**
 * Which certificates a relay has and which are to be made: decided here, once a plan. An authority that is not as it should be is
 * made or renewed first, and what it is to sign comes with the next look, which finds it in force. Pure.
 */
import type { MailRelay } from "../../api/mailrelay.ts";
import type { Installation } from "../installation/installation.ts";
import type { Secret, Stored } from "../kube/objects.ts";
import { secretText } from "../kube/secret.ts";
import { clientNames, issuedSecretName } from "../owned/names.ts";
import { type KeyAlgorithm, readCertificate, serves, unusableKey } from "./certificate.ts";
import { authorityAsItIs, type ClientAuthority, decideClientAuthority } from "./clientauthority.ts";
import { decideClientLeaf, lackingKeys, readingOf, renderCertificate } from "./clientleaf.ts";
import { decideInternalAuthority, type InternalAuthority } from "./internalauthority.ts";
import { decideInternalLeaf, peerContent, renderPeer } from "./internalleaf.ts";
import type { TrustAction } from "./request.ts";

/** What is known of a relay's certificates. */
export interface TrustFacts {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly installation: Pick<Installation, "namespace" | "clusterDomain" | "certificateNames">;
  readonly relay: Stored<MailRelay>;
  /** Secrets of the relay's namespace that its spec names and that exist, by name. */
  readonly secrets: ReadonlyMap<string, Secret>;
  /** The Secret of the authority that clients trust, in the operator's namespace. */
  readonly authority: Secret | undefined;
  /** The certificate Secret the pods mount, as it is now. */
  readonly certificate: Secret | undefined;
  /** The Secret of the internal authority, in the operator's namespace. */
  readonly internalAuthority: Secret | undefined;
  /** The Secret with which the pods know each other and the operator, as it is now. */
  readonly peer: Secret | undefined;
  /** Fields of which the API server would not take what the last plan wrote for them. */
  readonly rejections: readonly { readonly field: string }[];
}

export interface TrustDecision {
  /** Authorities to keep and certificates to issue, in their order. */
  readonly actions: readonly TrustAction[];
  /** What the pods are to show clients; undefined while there is none. */
  readonly mounted: Secret | undefined;
  /** What the pods know each other by, as it should be; undefined while it does not serve. */
  readonly peer: Secret | undefined;
  /** Whether it takes another look until they can have it. */
  readonly isPeerLater: boolean;
}

export function decideTrust(world: TrustFacts): TrustDecision {
  const { relay, peer, now } = world;
  const internal = decideInternal(world);
  const leaf =
    internal.kind === "change" ? undefined : decideInternalLeaf(relay, { peer, authority: internal.authority, now });
  return {
    actions: [
      ...clientActions(world),
      ...(internal.kind === "change" ? [internal.action] : []),
      ...(leaf === undefined ? [] : [{ kind: "issue", ...leaf } as const]),
    ],
    mounted: certificateToMount(world),
    peer:
      peer === undefined || internal.kind === "change" || leaf !== undefined
        ? undefined
        : renderPeer(relay, peerContent(peer)),
    isPeerLater: peer === undefined && internal.kind === "change",
  };
}

export type InternalDecision =
  | { readonly kind: "inForce"; readonly authority: InternalAuthority }
  | { readonly kind: "change"; readonly action: Extract<TrustAction, { readonly kind: "keepAuthority" }> };

/** The authority that signs what the operator and the pods show each other. */
export function decideInternal({ internalAuthority: read, installation, now }: TrustFacts): InternalDecision {
  const change = decideInternalAuthority(read, now);
  if (change.kind === "keep") return { kind: "inForce", authority: change.authority };
  return { kind: "change", action: { kind: "keepAuthority", wanted: { of: "pods", change }, installation, read } };
}

/** What asks for the authority that clients trust, and nothing else that is written. */
export const authorityField = "spec.tls.selfSigned";

function clientActions(world: TrustFacts): readonly TrustAction[] {
  const { installation, authority: read, now } = world;
  if (world.relay.spec.tls.selfSigned === undefined) return [];
  if (unusableAuthorityKey(world) !== undefined) return [];
  const change = decideClientAuthority(read, now);
  const authority = signingAuthority(world);
  const issues = authority === undefined ? [] : leafActions(world, authority);
  if (change.kind === "keep") return issues;
  const wanted = { of: "clients", change } as const;
  return [{ kind: "keepAuthority", wanted, installation, read, field: authorityField }, ...issues];
}

/** The one in force. Where Kubernetes takes no change of it, no certificate waits for that: what is there signs. */
function signingAuthority({ authority, rejections, now }: TrustFacts): ClientAuthority | undefined {
  const decision = decideClientAuthority(authority, now);
  if (decision.kind === "keep") return decision.authority;
  const isRefused = rejections.some(({ field }) => field === authorityField);
  return isRefused && authority !== undefined ? authorityAsItIs(authority, now) : undefined;
}

/** Of an authority that a person gave and of which nothing can sign here: what kind of key it has. */
export function unusableAuthorityKey({ authority: read, now }: TrustFacts): string | undefined {
  const given = read === undefined ? undefined : authorityAsItIs(read, now);
  const halves = [given?.ECDSA, given?.RSA].filter((half) => half !== undefined);
  return halves.map(({ signing }) => unusableKey(signing.certificate)).find((kind) => kind !== undefined);
}

/** Kinds of keys that the manifest asks for in vain. */
export function keysInVain(world: TrustFacts): readonly KeyAlgorithm[] {
  if (unusableAuthorityKey(world) !== undefined) return [];
  const authority = signingAuthority(world);
  return authority === undefined ? [] : lackingKeys(world.relay.spec.tls.selfSigned?.algorithms, authority);
}

function leafActions(
  { relay, installation, certificate, now }: TrustFacts,
  authority: ClientAuthority,
): readonly TrustAction[] {
  const { tls, hostname } = relay.spec;
  const names = [
    ...new Set([
      hostname,
      ...clientNames(relay.metadata, installation.clusterDomain),
      ...installation.certificateNames,
      ...(tls.selfSigned?.dnsNames ?? []),
    ]),
  ];
  const leaf = decideClientLeaf(relay, {
    certificate,
    authority,
    names,
    algorithms: tls.selfSigned?.algorithms,
    now,
  });
  return leaf === undefined ? [] : [{ kind: "issue", ...leaf }];
}

/**
 * The manifest's certificate when it is usable, otherwise what the pods mount already. One that has run out or is for other
 * names does not take the place of one that serves.
 */
function certificateToMount(world: TrustFacts): Secret | undefined {
  const { tls } = world.relay.spec;
  const source = tls.certManager === undefined ? tls.secretRef?.name : issuedSecretName(world.relay.metadata.name);
  if (source === undefined) return world.certificate;
  const given = world.secrets.get(source);
  const chain = secretText(given, "tls.crt");
  const privateKey = secretText(given, "tls.key");
  const reading = readCertificate(chain, privateKey);
  if (reading.kind !== "usable" || chain === undefined || privateKey === undefined) return world.certificate;
  const question = { hostname: world.relay.spec.hostname, now: world.now };
  if (!serves(reading, question) && serves(readingOf(world.certificate), question)) return world.certificate;
  return renderCertificate(world.relay, { chain, privateKey });
}
