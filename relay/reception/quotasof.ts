/** Which quotas a message uses up: the sender's own, its domain's, and those of the namespace that brings the domain. Pure. */
import { createHash } from "node:crypto";
import { domainQuota, namespaceOwner, senderQuota, tenantQuota } from "../../api/administration.ts";
import type { DomainDocument, SenderEntryDocument } from "../../api/relayconfig.ts";
import type { DomainSettings } from "../config/snapshot.ts";
import { grantedIdentities } from "../config/granted.ts";
import type { Quota } from "../limits/quota.ts";
import { clientOf } from "../../runtime/network.ts";
import { type Grant, isNamedBy } from "./grant.ts";
import { nameAmong } from "./identity/certificate.ts";
import type { Principal } from "./identity/principal.ts";

interface Entry {
  readonly name: string;
  readonly grant: Grant;
  readonly perHour: Quota["perHour"] | undefined;
}

interface DomainQuotas {
  readonly entries: readonly Entry[];
  /** Of whoever sends. */
  readonly shared: readonly Quota[];
}

/** Settings are of a snapshot, and many messages come in the life of one. */
const known = new WeakMap<DomainSettings, DomainQuotas>();

/** The sender's comes first: it is the one that its client can do something about. */
export function quotasOf(settings: DomainSettings, principals: readonly Principal[]): readonly Quota[] {
  const quotas = known.get(settings) ?? domainQuotas(settings.document);
  known.set(settings, quotas);
  const own = senderQuotaOf(settings.document.domain, quotas.entries, principals);
  return own === undefined ? quotas.shared : [own, ...quotas.shared];
}

function domainQuotas({ domain, limits, tenant, senderDomain, senderEntries = [] }: DomainDocument): DomainQuotas {
  const shared: Quota[] = [];
  const own = perHourOf(limits);
  if (own !== undefined)
    shared.push({ key: domainQuota(domain), scope: "Domain", owner: domain, field: "spec.limits.", perHour: own });
  const perHour = tenant === undefined ? undefined : perHourOf(tenant.limits);
  if (tenant !== undefined && perHour !== undefined) {
    const { namespace } = senderDomain;
    const field = `limits of the relay's tenants entry ${tenant.name}: `;
    const owner = namespaceOwner(namespace);
    shared.push({ key: tenantQuota(tenant.name, namespace), scope: "Namespace", owner, field, perHour });
  }
  return { entries: senderEntries.map(entryOf), shared };
}

function entryOf(entry: SenderEntryDocument): Entry {
  return {
    name: entry.name,
    grant: { identities: grantedIdentities(entry), senders: entry },
    perHour: perHourOf(entry.limits),
  };
}

/** A client that logs in is counted as who it is, from whichever network: principals come in that order. */
function senderQuotaOf(domain: string, entries: readonly Entry[], principals: readonly Principal[]): Quota | undefined {
  for (const principal of entries.length === 0 ? [] : principals) {
    const entry = entries.find(({ grant }) => isNamedBy(grant, principal.proof));
    if (entry === undefined) continue;
    const { name, grant, perHour } = entry;
    if (perHour === undefined) return undefined;
    const key = senderQuota(domain, name, digestOf(countedAs(principal, grant)));
    const field = `limits of the senders entry ${name}: `;
    return { key, scope: "Sender", owner: "this client", field, perHour };
  }
  return undefined;
}

/**
 * Under what it is counted what a principal sends, the same for all its sessions: a user is one, by whichever of its Secrets it came
 * in, and a certificate is what the entry calls it. Its other names are its holder's to choose, who would have the limit anew by each.
 */
function countedAs({ name, proof }: Principal, { senders }: Grant): string {
  switch (proof.kind) {
    case "password":
      return `user ${name}`;
    case "token":
      return `token ${proof.identities[0] ?? name}`;
    case "certificate":
      return `certificate ${nameAmong(proof.certificate.names, senders) ?? name}`;
    case "address":
      return `client ${clientOf(name)}`;
  }
}

/** Reports hold keys, and are no place for the names of users. */
function digestOf(identity: string): string {
  return createHash("sha256").update(identity).digest("base64url").slice(0, 16);
}

function perHourOf(limits: DomainDocument["limits"]): Quota["perHour"] | undefined {
  const { messagesPerHour, recipientsPerHour, bytesPerHour } = limits;
  if (messagesPerHour === undefined && recipientsPerHour === undefined && bytesPerHour === undefined) return undefined;
  return {
    ...(messagesPerHour === undefined ? {} : { messages: messagesPerHour }),
    ...(recipientsPerHour === undefined ? {} : { recipients: recipientsPerHour }),
    ...(bytesPerHour === undefined ? {} : { bytes: bytesPerHour }),
  };
}
