/** What a domain's document says of its senders and of what they may send. Pure. */
import type { SendLimits } from "../../api/fields/sendlimits.ts";
import { parseQuantity } from "../../api/quantity.ts";
import type { DomainDocument, SenderEntryDocument } from "../../api/relayconfig.ts";
import { senderSelectorField } from "./references.ts";
import type { DomainWorld } from "./world.ts";

type Sender = DomainWorld["domain"]["spec"]["senders"][number];

/** Whom these entries name beside Secrets of logins. */
export function namedBy(senders: readonly Sender[]): Omit<SenderEntryDocument, "name" | "secrets" | "limits"> {
  return {
    serviceAccounts: senders.flatMap((sender) => sender.serviceAccounts ?? []),
    ...certificatesDocument(senders.flatMap((sender) => sender.clientCertificates ?? [])),
    ...oidcDocument(senders.flatMap((sender) => sender.oidc ?? [])),
    trustedNetworks: senders.some((sender) => sender.trustedNetworks === true),
  };
}

/** Absent where there are none: the documents of other domains stay the same text. */
function oidcDocument(entries: NonNullable<Sender["oidc"]>): Pick<DomainDocument["senders"], "oidc"> {
  if (entries.length === 0) return {};
  return { oidc: entries.map(({ issuer, users = [], groups = [] }) => ({ issuer, users, groups })) };
}

type CertificateSpec = NonNullable<Sender["clientCertificates"]>[number];
type CertificatesDocument = Pick<DomainDocument["senders"], "clientCertificates" | "certificateNames">;

/** Names of another kind than the common one have a place of their own: relays that know of none would not read them. */
function certificatesDocument(certificates: readonly CertificateSpec[]): CertificatesDocument {
  const named = (kind: keyof CertificateSpec): string[] => certificates.flatMap((one) => one[kind] ?? []);
  const names = { dnsNames: named("dnsName"), uris: named("uri") };
  return {
    clientCertificates: named("commonName").map((commonName) => ({ commonName })),
    ...(names.dnsNames.length + names.uris.length === 0 ? {} : { certificateNames: names }),
  };
}

/** Where one entry has limits the relay has to know all of them: a client goes by the first that names it. */
export function senderEntriesOf({ domain, credentials }: DomainWorld): Pick<DomainDocument, "senderEntries"> {
  const { senders } = domain.spec;
  if (senders.every(({ limits }) => limits === undefined)) return {};
  const senderEntries = senders.map((sender, index) => ({
    name: sender.name,
    secrets: [...(credentials.selected?.get(senderSelectorField(index)) ?? [])],
    ...namedBy([sender]),
    limits: limitsDocument(sender.limits ?? {}),
  }));
  return { senderEntries };
}

export function limitsDocument(limits: SendLimits): DomainDocument["limits"] {
  const bytesPerHour = limits.bytesPerHour === undefined ? undefined : parseQuantity(limits.bytesPerHour);
  return {
    ...(limits.messagesPerHour === undefined ? {} : { messagesPerHour: limits.messagesPerHour }),
    ...(limits.recipientsPerHour === undefined ? {} : { recipientsPerHour: limits.recipientsPerHour }),
    ...(bytesPerHour === undefined ? {} : { bytesPerHour }),
  };
}
