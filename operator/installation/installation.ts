/** Where this operator runs, and which relays are its own. */
import { usualClassName } from "../../api/mailrelay.ts";

/** A host and port that stand for another one, for example the capture exchanger of local mode. */
export interface NextHopAddress {
  readonly host: string;
  readonly port: number;
}

/** What pods have whose MailRelay does not say otherwise. */
export interface PodDefaults {
  readonly imagePullPolicy?: "Always" | "IfNotPresent" | "Never" | undefined;
  /** Names of Secrets in the relay's namespace. */
  readonly imagePullSecrets: readonly string[];
  /** The cluster gives each namespace user and group ids of its own, and refuses pods that bring theirs (OpenShift). */
  readonly areIdsAssigned: boolean;
}

export const usualPods: PodDefaults = { imagePullSecrets: [], areIdsAssigned: false };

/** A relay of another class, and every domain that refers to it, is another operator's: nothing is written of them. */
export function isServedAt(
  { className }: Pick<Installation, "className">,
  relay: { readonly className?: string } | undefined,
): boolean {
  return className === undefined || relay === undefined || (relay.className ?? usualClassName) === className;
}

/** Where this operator runs: what differs between a cluster and a single machine. */
export interface Installation {
  /** Which relays are served: those whose spec says the same; undefined: all of them. */
  readonly className: string | undefined;
  /** Of relay pods whose MailRelay names none. */
  readonly image: string;
  /** The image that has this very release in it. */
  readonly ownImage: string;
  readonly pods: PodDefaults;
  /** How names of Services end. */
  readonly clusterDomain: string;
  /** Names beside the host name that relays are reached by; part of our own certificates. */
  readonly certificateNames: readonly string[];
  /** Next hops by local name: `host`, or `host:port` where the ports of a host lead to different places. */
  readonly addressBook: ReadonlyMap<string, NextHopAddress>;
  /** Namespace of the operator and of its own Secrets. */
  readonly namespace: string;
  /** Where pods of this machine reach each other; undefined: each by its own name in DNS. */
  readonly podHost: string | undefined;
  /** Name of the operator's ServiceAccount, for the commands that give it rights. */
  readonly serviceAccount: string;
  readonly secretsRole: SecretsRole;
}

/** What a namespace's owner binds to let the operator at its Secrets: it must exist in that installation. */
export interface SecretsRole {
  readonly kind: "ClusterRole" | "Role";
  readonly name: string;
}
