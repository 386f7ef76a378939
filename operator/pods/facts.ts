/** What is known of the pods of a relay at one moment. */
import type { RelayReport } from "../../api/relayreport.ts";
import type { PodHindrance } from "../kube/objects.ts";
import type { NextHopAddress } from "../work/place.ts";

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
  /** Mark of the template that it was made from; undefined of one from before there were marks. */
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

/** What was told of the queue, and when, milliseconds since the epoch. */
export interface Figures {
  readonly at: number;
  readonly queued: number;
  /** RFC 3339; undefined when nothing is due. */
  readonly oldestDueTime: string | undefined;
}
