/** Whether a domain, its namespace, or an identity of its senders has sent what it may in an hour. Pure. */
import { timestamp } from "../../api/condition.ts";
import { namespaceOwner, senderOwner } from "../../api/administration.ts";
import type { SenderDomainStatus } from "../../api/senderdomain.ts";
import type { Action } from "../work/actions.ts";
import type { DomainWorld } from "./world.ts";

type Domain = Pick<DomainWorld["domain"], "metadata" | "spec" | "status">;
type Limited = Pick<SenderDomainStatus, "limitedSince" | "limitedSenders">;

/** Since when it was said first; the relay says it until ten minutes have passed without. */
export function limitedOf({ domain, relay, now }: DomainWorld): Limited {
  const limited = new Set(relay?.status?.limited ?? []);
  const { spec, metadata, status } = domain;
  const isWhole = limited.has(spec.domain) || limited.has(namespaceOwner(metadata.namespace));
  const senders = spec.senders.map(({ name }) => name).filter((name) => limited.has(senderOwner(spec.domain, name)));
  if (!isWhole && senders.length === 0) return {};
  return {
    limitedSince: status?.limitedSince ?? timestamp(now),
    ...(senders.length === 0 ? {} : { limitedSenders: senders }),
  };
}

/** Told when it begins, and when it is over. */
export function limitEvents(
  { metadata: { namespace, name }, spec, status }: Domain,
  { limitedSince, limitedSenders }: Limited,
): readonly Action[] {
  const wasLimited = status?.limitedSince !== undefined;
  if (wasLimited === (limitedSince !== undefined)) return [];
  const regarding = { kind: "SenderDomain", namespace, name } as const;
  const [type, reason, note] = wasLimited
    ? (["Normal", "LimitOver", `mail of ${spec.domain} has been taken without a refusal for ten minutes`] as const)
    : (["Warning", "LimitReached", reachedNote(spec.domain, limitedSenders ?? [])] as const);
  return [{ kind: "event", event: { regarding, type, reason, note } }];
}

function reachedNote(domain: string, senders: readonly string[]): string {
  const refused = `mail of ${domain} is refused 450 for now`;
  if (senders.length > 0) {
    const entries = `the senders ${senders.length === 1 ? "entry" : "entries"} ${senders.join(", ")}`;
    return `${refused}: an identity of ${entries} has sent what it may in an hour; raise limits there, or let it send less`;
  }
  return (
    `${refused}: it, or its namespace, has sent what it may in an hour; raise spec.limits, or limits of the relay's tenants, ` +
    "or let it send less"
  );
}
