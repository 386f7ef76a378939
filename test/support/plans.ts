/** Plans with their actions sorted by kind, for tests that ask for one of them; what order they have is asked of `actions`. */
import type { MailRelayStatus } from "../../api/mailrelay.ts";
import type { SenderDomainStatus } from "../../api/senderdomain.ts";
import type { Misfit } from "../../operator/kube/objects.ts";
import * as misfits from "../../operator/mailrelay/misfit/plan.ts";
import * as relays from "../../operator/mailrelay/plan.ts";
import * as hidden from "../../operator/mailrelay/unseen/plan.ts";
import type { RelayWorld } from "../../operator/mailrelay/world.ts";
import * as domains from "../../operator/senderdomain/plan.ts";
import type { DomainWorld } from "../../operator/senderdomain/world.ts";
import { type Action, actionsOf, type Plan } from "../../operator/work/actions.ts";

export interface Sorted {
  readonly finalizer: "put" | "takeOff" | undefined;
  readonly adopt: readonly Action<"adopt">["secret"][];
  /** DKIM keys. */
  readonly make: readonly { readonly algorithm: string; readonly name: string }[];
  /** Authorities to make or to renew. */
  readonly keep: readonly Action<"keepAuthority">["wanted"]["of"][];
  /** Names of the certificate that is to be made for clients. */
  readonly issueFor: readonly string[] | undefined;
  readonly issuesPeer: boolean;
  readonly removals: readonly { readonly secret: Action<"merge">["secret"]; readonly keys: readonly string[] }[];
  /** The document of a domain. */
  readonly write:
    { readonly secret: Action<"merge">["secret"]; readonly dataKey: string; readonly text: string } | undefined;
  readonly marks: readonly Pick<Action<"mark">, "reference" | "change">[];
  readonly apply: readonly Action<"apply">["object"][];
  readonly grow: readonly { readonly name: string; readonly size: string }[];
  readonly nudges: readonly Pick<Action<"nudge">, "pod" | "value">[];
  readonly orders: Action<"order">["orders"];
  readonly remove: readonly Action<"remove">["reference"][];
  readonly events: readonly Action<"event">["event"][];
}

export type RelayPlan = relays.RelayPlan & Sorted & { readonly status: MailRelayStatus };
export type MisfitPlan = misfits.MisfitPlan & Sorted & { readonly status: MailRelayStatus };
export type DomainPlan = domains.DomainPlan & Sorted & { readonly status: SenderDomainStatus };
export type MisfitWorld = misfits.MisfitWorld;

export function planRelay(world: RelayWorld): RelayPlan {
  return sortedRelay(relays.planRelay(world));
}

export function planHidden(world: RelayWorld): RelayPlan {
  return sortedRelay(hidden.planHidden(world));
}

export function planMisfit(world: MisfitWorld): MisfitPlan {
  return sortedRelay(misfits.planMisfit(world));
}

export function planDomain(world: DomainWorld): DomainPlan {
  return sortedDomain(domains.planDomain(world));
}

export function planMisfitDomain(domain: Misfit<"SenderDomain">, now: number): DomainPlan {
  return sortedDomain(domains.planMisfitDomain(domain, now));
}

function sortedRelay<P extends Plan>(plan: P): P & Sorted & { readonly status: MailRelayStatus } {
  const [told] = actionsOf("status", plan.actions);
  if (told?.of !== "MailRelay") throw new Error("a plan of a MailRelay says its status");
  return { ...plan, ...sorted(plan.actions), status: told.status };
}

function sortedDomain<P extends Plan>(plan: P): P & Sorted & { readonly status: SenderDomainStatus } {
  const [told] = actionsOf("status", plan.actions);
  if (told?.of !== "SenderDomain") throw new Error("a plan of a SenderDomain says its status");
  return { ...plan, ...sorted(plan.actions), status: told.status };
}

function sorted(actions: readonly Action[]): Sorted {
  const [finalize] = actionsOf("finalize", actions);
  const issued = (ending: string): Action<"issue"> | undefined =>
    actionsOf("issue", actions).find(({ secret }) => secret.metadata.name.endsWith(ending));
  const certificate = issued("-certificate");
  const merges = actionsOf("merge", actions).map(({ secret, changes }) => ({
    secret,
    entries: Object.entries(changes),
  }));
  const removals = merges.map(({ secret, entries }) => ({
    secret,
    keys: entries.filter(([, text]) => text === undefined).map(([dataKey]) => dataKey),
  }));
  const [write] = merges.flatMap(({ secret, entries }) =>
    entries.flatMap(([dataKey, text]) => (text === undefined ? [] : [{ secret, dataKey, text }])),
  );
  return {
    finalizer: finalize === undefined ? undefined : finalize.isPresent ? "put" : "takeOff",
    adopt: actionsOf("adopt", actions).map(({ secret }) => secret),
    make: actionsOf("makeKey", actions).map(({ algorithm, secret }) => ({ algorithm, name: secret.metadata.name })),
    keep: actionsOf("keepAuthority", actions).map(({ wanted }) => wanted.of),
    issueFor: certificate && (certificate.leaves[0]?.request.names ?? []),
    issuesPeer: issued("-peer") !== undefined,
    removals: removals.filter(({ keys }) => keys.length > 0),
    write,
    marks: actionsOf("mark", actions).map(({ reference, change }) => ({ reference, change })),
    apply: actionsOf("apply", actions).map(({ object }) => object),
    grow: actionsOf("grow", actions).map(({ claim: { name }, size }) => ({ name, size })),
    nudges: actionsOf("nudge", actions).map(({ pod, value }) => ({ pod, value })),
    orders: actionsOf("order", actions).flatMap(({ orders }) => orders),
    remove: actionsOf("remove", actions).map(({ reference }) => reference),
    events: actionsOf("event", actions).map(({ event }) => event),
  };
}
