/**
 * How much, how many, how fast: what bounds reception and delivery, asked here and nowhere else. Pure: time is an argument's.
 *
 * The manifest's figures are of the whole relay, and what of them is this pod's is known here alone. Whoever asks has an answer at
 * once (a place, a part, a time) and keeps none for later, so that a part which is dealt out from elsewhere, and may be another
 * one a moment later, is another implementation of these interfaces and no other change. Of quotas this pod has a share; every other
 * figure it takes whole.
 */
import { ConnectionCount, type ClientConnections } from "./connections.ts";
import { FailedLogins, type LoginLimits } from "./failedlogins.ts";
import { HostMemory, type Time } from "./hosts.ts";
import { Newcomers } from "./newcomers.ts";
import { Pace, type PaceDecision, type PaceQuestion } from "./pace.ts";
import type { QuotaState } from "./quota.ts";
import { Quotas } from "./quotas.ts";

export interface Limits {
  /** Of those who bring mail. */
  readonly clients: ClientConnections;
  /** Of those who come too fast, before they cost a socket. */
  readonly newcomers: Pick<Newcomers, "isInTime">;
  /** Of those who guess passwords. */
  readonly logins: LoginLimits;
  /** How much a domain, and a tenant's namespace, may send in an hour. */
  readonly quotas: Quotas;
  /** Where mail goes. */
  readonly destinations: DestinationLimits;
  /** What was learned of its hosts. */
  readonly hosts: HostMemory;
}

/** Destinations with the same key share them. */
export interface DestinationFigures {
  readonly key: string;
  readonly maxConnections: number;
  readonly messagesPerMinute?: number;
}

export interface DestinationLimits {
  /** This pod's part of what is allowed towards a destination. */
  part<Figures extends DestinationFigures>(whole: Figures): Figures;
  /** When one more message may go to a destination that takes so many a minute of this pod. */
  pace(question: PaceQuestion): PaceDecision;
  /** Forgets the pace of destinations that had no mail for a while. */
  forget(now: number): void;
}

export interface QuotaParts {
  /** This pod's share of each while no other is leased to it; all of it when absent. */
  readonly evenShare?: () => number;
  /** By the process before. */
  readonly kept?: readonly QuotaState[];
}

export function podLimits(time: Time, { evenShare = () => 1, kept = [] }: QuotaParts = {}): Limits {
  const pace = new Pace();
  return {
    clients: new ConnectionCount(time),
    newcomers: new Newcomers(time),
    logins: new FailedLogins(time),
    quotas: new Quotas(time, evenShare, kept),
    destinations: {
      part: (whole) => whole,
      pace: (question) => pace.ask(question),
      forget: (now) => pace.forget(now),
    },
    hosts: new HostMemory(time),
  };
}
