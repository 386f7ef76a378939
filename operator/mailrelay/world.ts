/**
 * All that is known about one MailRelay at one moment, as plain values: gather makes it, assess and plan decide over it.
 */
import type { MailRelay } from "../../api/mailrelay.ts";
import type { CredentialDocument } from "../../api/relayconfig.ts";
import type { RelayReport } from "../../api/relayreport.ts";
import type { OwnerReference, Secret, StatefulSet, Stored } from "../kube/objects.ts";

/** A host and port that stand for another one, for example the capture exchanger of local mode. */
export interface NextHopAddress {
  readonly host: string;
  readonly port: number;
}

/** Where this operator runs: what differs between a cluster and a single machine. */
export interface Place {
  readonly image: string;
  /** Names beside the host name that relays are reached by; part of our own certificates. */
  readonly certificateNames: readonly string[];
  /** Next hops by local name. */
  readonly addressBook: ReadonlyMap<string, NextHopAddress>;
  /** Namespace of the operator's own Secrets. */
  readonly namespace: string;
}

/** PEM of a certificate and its PKCS#8 key. */
export interface IssuedCertificate {
  readonly certificate: string;
  readonly privateKey: string;
}

/** Something a manifest refers to and that cannot be used. */
export interface ReferenceProblem {
  readonly kind: "missing" | "invalid";
  /** For example `spec.delivery.smarthosts[0].credentialsSecretName`. */
  readonly field: string;
  /** What is wrong and what to do. */
  readonly message: string;
}

export interface CredentialFacts {
  readonly documents: readonly CredentialDocument[];
  readonly problems: readonly ReferenceProblem[];
}

export interface PodFact {
  readonly name: string;
  readonly ready: boolean;
  /** Absent when the pod does not answer. */
  readonly report: RelayReport | undefined;
}

export interface RelayWorld {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly place: Place;
  readonly relay: Stored<MailRelay>;
  readonly credentials: CredentialFacts;
  /** Secrets of the relay's namespace that its spec names and that exist, by name. */
  readonly secrets: ReadonlyMap<string, Secret>;
  readonly authority: IssuedCertificate | undefined;
  /** The certificate Secret the pods mount, as it is now. */
  readonly certificate: Secret | undefined;
  /** The configuration Secret the pods mount, as it is now. */
  readonly configuration: Secret | undefined;
  readonly statefulSet: StatefulSet | undefined;
  /** Shard Secrets that exist, by shard name. */
  readonly shards: ReadonlyMap<string, Secret>;
  /** Domains that SenderDomains hold on this relay; whatever else a shard has is left over. */
  readonly domains: ReadonlySet<string>;
  readonly pods: readonly PodFact[];
}

/** Everything a relay owns goes with it. */
export function ownerOf(object: {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly uid?: string | undefined };
}): OwnerReference {
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    name: object.metadata.name,
    uid: object.metadata.uid ?? "",
    controller: true,
    blockOwnerDeletion: true,
  };
}
