/** Whether a domain, or its namespace, has sent what it may in an hour. Pure. */
import { timestamp } from "../../api/condition.ts";
import { namespaceOwner } from "../../api/administration.ts";
import type { SenderDomainStatus } from "../../api/senderdomain.ts";
import type { Action } from "../work/actions.ts";
import type { DomainWorld } from "./world.ts";

type Domain = Pick<DomainWorld["domain"], "metadata" | "spec" | "status">;

/** Since when it was said first; the relay says it until ten minutes have passed without. */
export function limitedOf({ domain, relay, now }: DomainWorld): Pick<SenderDomainStatus, "limitedSince"> {
  const limited = relay?.status?.limited ?? [];
  const isLimited = limited.includes(domain.spec.domain) || limited.includes(namespaceOwner(domain.metadata.namespace));
  return isLimited ? { limitedSince: domain.status?.limitedSince ?? timestamp(now) } : {};
}

/** Told when it begins, and when it is over. */
export function limitEvents(
  { metadata: { namespace, name }, spec, status }: Domain,
  { limitedSince }: Pick<SenderDomainStatus, "limitedSince">,
): readonly Action[] {
  const wasLimited = status?.limitedSince !== undefined;
  if (wasLimited === (limitedSince !== undefined)) return [];
  const regarding = { kind: "SenderDomain", namespace, name } as const;
  const [type, reason, note] = wasLimited
    ? (["Normal", "LimitOver", `mail of ${spec.domain} has been taken without a refusal for ten minutes`] as const)
    : ([
        "Warning",
        "LimitReached",
        `mail of ${spec.domain} is refused 450 for now: it, or its namespace, has sent what it may in an hour; raise spec.limits, or ` +
          "limits of the relay's tenants, or let it send less",
      ] as const);
  return [{ kind: "event", event: { regarding, type, reason, note } }];
}
