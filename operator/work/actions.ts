/**
 * What a plan is: one list of actions that are done in its order, which is part of the plan. An action says what is to be done and
 * not how: carryout.ts is the one that does it. A new kind of action is one more member here and one more line there.
 */
import type { MailRelayStatus } from "../../api/mailrelay.ts";
import type { SenderDomainStatus } from "../../api/senderdomain.ts";
import type { ManagedAlgorithm } from "../dkim/privatekey.ts";
import type { KubeEvent, MetadataChange, Reference } from "../kube/kube.ts";
import type { AppliedObject, ObjectMeta, Secret } from "../kube/objects.ts";
import type { PodFact } from "../pods/facts.ts";
import type { Leasing } from "../pods/leases.ts";
import type { PodOrder } from "../pods/orders.ts";
import type { InternalAuthority } from "../trust/internalauthority.ts";
import type { AuthorityRequest, LeafIssue } from "../trust/request.ts";

/** Every kind of action, and what each says. */
interface Contents {
  /** Puts a finalizer of ours on a resource of ours, or takes it off. */
  readonly finalize: { readonly reference: Reference; readonly finalizer: string; readonly isPresent: boolean };
  /** Makes labels and owners of a Secret be these; what it holds stays. */
  readonly adopt: { readonly secret: Secret };
  /** Makes a DKIM key and the Secret that holds it; one that is there is never written over. */
  readonly makeKey: { readonly secret: Secret; readonly algorithm: ManagedAlgorithm };
  /** Makes or renews an authority of the operator's own. */
  readonly keepAuthority: AuthorityRequest;
  /** Makes the certificates that a Secret lacks, and applies it. */
  readonly issue: LeafIssue;
  /** Sets (text) or removes (undefined) single data keys of a Secret. */
  readonly merge: { readonly secret: Secret; readonly changes: Readonly<Record<string, string | undefined>> };
  /** Changes labels and annotations of something that is not applied whole. */
  readonly mark: { readonly reference: Reference; readonly change: MetadataChange };
  readonly apply: { readonly object: AppliedObject };
  /** Asks for a larger volume. That it is not to be had is a fact of the volume, and no fault of the resource. */
  readonly grow: { readonly claim: Named; readonly size: string };
  /** Writes to a pod so that its kubelet refreshes what it mounts. */
  readonly nudge: { readonly namespace: string; readonly pod: PodFact; readonly value: string };
  /** Tells pods of a relay to leave, or that they stay after all. */
  readonly order: {
    readonly relay: Named;
    /** Signs what the operator shows them. */
    readonly authority: InternalAuthority;
    readonly orders: readonly PodOrder[];
  };
  /** Gives pods of a relay shares of what may be sent in an hour: those that shrink, and then those that grow. */
  readonly lease: Leasing & { readonly relay: Named; readonly authority: InternalAuthority };
  readonly remove: { readonly reference: Reference };
  readonly status: StatusOf<"MailRelay", MailRelayStatus> | StatusOf<"SenderDomain", SenderDomainStatus>;
  readonly event: { readonly event: KubeEvent };
}

export interface Named {
  readonly namespace: string;
  readonly name: string;
}

interface StatusOf<K, S> {
  readonly of: K;
  readonly metadata: ObjectMeta;
  readonly status: S;
  /** What is stored may be such that the server takes no write of it: that is told like any write that is refused. */
  readonly mayBeRefused?: true;
}

interface Any {
  /** Where the spec asks for this very action; what it writes tells when it is absent. */
  readonly field?: string;
  /** Where it is refused, nothing that follows it is done, up to what is said of it. */
  readonly isPrecondition?: true;
}

export type ActionKind = keyof Contents;

/** All actions, or those of one kind. */
export type Action<K extends ActionKind = ActionKind> = { [P in K]: Any & { readonly kind: P } & Contents[P] }[K];

export interface Plan {
  /** In the order in which they are done. */
  readonly actions: readonly Action[];
  /** When to look again; undefined when only a change matters. */
  readonly requeueAfterMs: number | undefined;
}

/** Those of one kind, in their order. */
export function actionsOf<K extends ActionKind>(kind: K, actions: readonly Action[]): readonly Action<K>[] {
  return actions.filter((action) => isOf(kind, action));
}

function isOf<K extends ActionKind>(kind: K, action: Action): action is Action & Action<K> {
  return action.kind === kind;
}

/** Whether it tells of the resource what was done and judged. What was refused before it is told with it. */
export function tells(action: Action): boolean {
  return action.kind === "event" || (action.kind === "status" && action.mayBeRefused !== true);
}
