/** What is leased to the pods of a relay, and who has sent what he may. Pure. */
import type { MailRelayStatus } from "../../api/mailrelay.ts";
import { ownerOfQuota } from "../../api/administration.ts";
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
  return owners.length === 0 ? {} : { limited: owners.slice(0, namedLimited) };
}
