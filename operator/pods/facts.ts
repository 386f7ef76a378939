/** What is known of the pods of a relay, and of their volumes, at one moment. */
import type { MailRelay, MailRelayStatus } from "../../api/mailrelay.ts";
import type { RelayReport } from "../../api/relayreport.ts";
import type { PodHindrance, StatefulSet, Stored } from "../kube/objects.ts";
import type { NextHopAddress, Installation } from "../installation/installation.ts";

/** A relay with its pods. */
export interface RelayPods {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly installation: Pick<Installation, "podHost">;
  readonly relay: Stored<MailRelay>;
  readonly statefulSet: StatefulSet | undefined;
  readonly pods: readonly PodFact[];
  /** In order of their ordinals. */
  readonly claims: readonly ClaimFact[];
}

export interface PodFact {
  readonly name: string;
  readonly uid: string;
  readonly ready: boolean;
  /** Of one that is not ready: since when it runs and is not, milliseconds since the epoch; undefined before it has run. */
  readonly unreadySince: number | undefined;
  /** Somebody deleted it: it stops, and may still be ready for a moment. */
  readonly isGoing: boolean;
  /** Kubernetes' word: Pending, Running and so on. */
  readonly phase: string;
  /** Why it is not ready, where Kubernetes says so. */
  readonly hindrance: PodHindrance | undefined;
  /** Whether the client Service may select it. */
  readonly serving: boolean;
  /** What the revision annotation says now. */
  readonly annotatedRevision: string | undefined;
  /** Milliseconds since the epoch; undefined when this operator has not written to the pod. */
  readonly annotatedAt: number | undefined;
  /** Messages accepted a second lately; undefined until two reports are known. */
  readonly acceptedPerSecond: number | undefined;
  /** Absent when the pod does not answer. */
  readonly report: RelayReport | undefined;
  /** Digest of the template that it was made from; undefined of one from before there was one. */
  readonly template: string | undefined;
  /** The newest version of the documents that a pod of this template was seen to read; undefined when none was seen. */
  readonly reads: number | undefined;
  /** Where it takes orders; undefined when it was made before there were any. */
  readonly administration: NextHopAddress | undefined;
  /** Digest of the order to leave that this operator gave it last. */
  readonly ordered: string | undefined;
  readonly orderFailure: OrderFailure | undefined;
}

/** Orders do not reach a pod. */
export interface OrderFailure {
  readonly why: string;
  /** Of the first that failed with none after it that did not, milliseconds since the epoch. */
  readonly since: number;
}

/** What status says of the queue; what is not known is absent. */
export type QueueFigures = Pick<
  MailRelayStatus,
  "queued" | "late" | "overHour" | "overDay" | "captured" | "oldestTime" | "oldestDueTime"
>;

/** What was told of the queue, and when, milliseconds since the epoch. */
export interface Figures extends QueueFigures {
  readonly at: number;
}

/** A volume that holds, held or will hold the spool of one pod. */
export interface ClaimFact {
  readonly name: string;
  readonly ordinal: number;
  /** What was asked for, as a Quantity. */
  readonly size: string;
  readonly storageClassName: string | undefined;
  /** False while there is no volume behind it, and so nothing in it. */
  readonly isBound: boolean;
  /** Deleted already; something still holds it. */
  readonly isGoing: boolean;
  readonly isRetained: boolean;
  /** Recipients that waited when its pod left; undefined when that is not known. */
  readonly queued: number | undefined;
  /** Id of the spool that was proven empty, with no way for mail to come in afterwards. */
  readonly emptySpool: string | undefined;
  readonly growthRefused: Refusal | undefined;
}

/** The cluster would not make a volume larger. */
export interface Refusal {
  /** The API server's words. */
  readonly why: string;
  /** When to ask again, milliseconds since the epoch. */
  readonly retryAt: number;
}

/** How many pods the reports called for at one time. */
export interface Recommendation {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly replicas: number;
}
