/** What is leased to the pods of a relay, and who has sent what he may. Pure. */
import type { MailRelayStatus } from "../../api/mailrelay.ts";
import { ownerOfQuota, senderDomainOf } from "../../api/administration.ts";
import { decideLeases } from "../pods/leases.ts";
import { decideInternal } from "../trust/trust.ts";
import type { Action } from "../work/actions.ts";
import { mountedDocument } from "./document.ts";
import type { RelayWorld } from "./world.ts";

/** Pods do not believe an operator without an authority in force. */
export function leasing(world: RelayWorld): readonly Action[] {
  const mounted = mountedDocument(world);
  if (mounted?.pods === undefined) return [];
  const { shrinking, growing } = decideLeases({ pods: world.pods, among: mounted.pods, revision: mounted.revision });
  const internal = decideInternal(world);
  if (shrinking.length + growing.length === 0 || internal.kind === "change") return [];
  return [{ kind: "lease", relay: world.relay.metadata, authority: internal.authority, shrinking, growing }];
}

/** Status holds no more. */
const namedLimited = 100;

export function limitedNow({ pods }: Pick<RelayWorld, "pods">): Pick<MailRelayStatus, "limited"> {
  const keys = pods.flatMap(({ report }) =>
    (report?.quotas ?? []).flatMap(({ key, isLimited }) => (isLimited ? [key] : [])),
  );
  const owners = [...new Set(keys.map(ownerOfQuota))].sort();
  return owners.length === 0 ? {} : { limited: inOrderOfWeight(owners).slice(0, namedLimited) };
}

/**
 * Domains and namespaces first, because all of their mail is refused. Then the first entry of senders of each domain, the second of
 * each, and so on: a domain with many entries leaves room for the others.
 */
function inOrderOfWeight(owners: readonly string[]): readonly string[] {
  const entriesOf = new Map<string, number>();
  const ranked = owners.map((owner) => {
    const domain = senderDomainOf(owner);
    if (domain === undefined) return { owner, rank: 0 };
    const rank = (entriesOf.get(domain) ?? 0) + 1;
    entriesOf.set(domain, rank);
    return { owner, rank };
  });
  return ranked.toSorted((left, right) => left.rank - right.rank).map(({ owner }) => owner);
}
