/** What a coordination.k8s.io/v1 Lease says, and what a candidate does about it. Pure. */
import { isRecord, type RawObject, type Resource } from "./client/resource.ts";

export const leaseResource: Resource = {
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  plural: "leases",
  namespaced: true,
};

export interface LeaseTimes {
  /** How long others wait after the last renewal that they saw. Written in whole seconds. */
  readonly durationMs: number;
  /** A leader that could not renew for this long stops writing. The rest of the duration is for what is on its way. */
  readonly renewDeadlineMs: number;
  readonly retryMs: number;
}

export interface Candidacy {
  readonly identity: string;
  readonly lease: RawObject | undefined;
  /** When this process first saw the lease as it is, by its own monotonic clock. Clocks of others are never compared. */
  readonly observedAt: number;
  /** By the same clock. */
  readonly now: number;
}

export type LeaseStep = { readonly kind: "create" } | { readonly kind: "take" } | { readonly kind: "renew" } | Waiting;

export interface Waiting {
  readonly kind: "wait";
  readonly holder: string;
  /** Until the holder's lease has run out, if nothing is heard of it. */
  readonly forMs: number;
}

export function nextStep({ identity, lease, observedAt, now }: Candidacy): LeaseStep {
  if (lease === undefined) return { kind: "create" };
  const holder = holderOf(lease);
  if (holder === identity) return { kind: "renew" };
  const durationMs = durationOf(lease);
  const leftMs = observedAt + durationMs - now;
  if (holder === "" || leftMs <= 0) return { kind: "take" };
  return { kind: "wait", holder, forMs: leftMs };
}

export function holderOf(lease: RawObject): string {
  const holder = specOf(lease)["holderIdentity"];
  return typeof holder === "string" ? holder : "";
}

export interface Holding {
  readonly namespace: string;
  readonly name: string;
  readonly identity: string;
  readonly durationMs: number;
  /** Milliseconds since the epoch; only people read it. */
  readonly at: number;
}

/** The lease held by the identity, as a replacement of what it was. */
export function heldLease(before: RawObject | undefined, holding: Holding): RawObject {
  const spec = before === undefined ? {} : specOf(before);
  const transitions = typeof spec["leaseTransitions"] === "number" ? spec["leaseTransitions"] : 0;
  const isOurs = before !== undefined && holderOf(before) === holding.identity;
  const at = microTime(holding.at);
  return {
    apiVersion: leaseResource.apiVersion,
    kind: leaseResource.kind,
    metadata: before?.metadata ?? { namespace: holding.namespace, name: holding.name },
    spec: {
      ...spec,
      holderIdentity: holding.identity,
      leaseDurationSeconds: Math.ceil(holding.durationMs / 1000),
      acquireTime: isOurs ? (spec["acquireTime"] ?? at) : at,
      renewTime: at,
      leaseTransitions: isOurs || before === undefined ? transitions : transitions + 1,
    },
  };
}

/** The lease given up: whoever comes next need not wait. */
export function releasedLease(lease: RawObject, at: number): RawObject {
  const time = microTime(at);
  return {
    ...lease,
    spec: { ...specOf(lease), holderIdentity: "", leaseDurationSeconds: 1, renewTime: time, acquireTime: time },
  };
}

function durationOf(lease: RawObject): number {
  const seconds = specOf(lease)["leaseDurationSeconds"];
  return typeof seconds === "number" ? seconds * 1000 : 0;
}

function specOf(lease: RawObject): Readonly<Record<string, unknown>> {
  const spec = lease["spec"];
  return isRecord(spec) ? spec : {};
}

/** MicroTime has six fractional digits, and the API server refuses fewer. */
export function microTime(atMs: number): string {
  return new Date(atMs).toISOString().replace("Z", "000Z");
}
