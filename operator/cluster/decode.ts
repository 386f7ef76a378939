/**
 * Resources of ours as the API server stores them, with the defaults that only decoding fills in. One that does not fit
 * the schema was stored under another version of it: it is left alone, and the log says which and why.
 */
import { mailRelay, type MailRelayStatus, mailRelayStatus } from "../../api/mailrelay.ts";
import { senderDomain, type SenderDomainStatus, senderDomainStatus } from "../../api/senderdomain.ts";
import { isRecord, type RawMetadata, type RawObject } from "../kube/client/resource.ts";
import { digestOf } from "../kube/cluster/difference.ts";
import { type Decode, placeholderMark } from "../kube/cluster/views.ts";
import type { Log } from "../../runtime/log.ts";

const schemas = {
  MailRelay: { object: mailRelay, status: mailRelayStatus },
  SenderDomain: { object: senderDomain, status: senderDomainStatus },
} as const;

export function decoder(log: Log): Decode {
  return (raw, known) => {
    const { kind, apiVersion, metadata } = raw;
    const { object, status } = kind === "MailRelay" ? schemas.MailRelay : schemas.SenderDomain;
    const { namespace, name } = metadata;
    const rest = { metadata, ...statusOf(status.safeParse(raw["status"]).data), statusDigest: digestOf(raw["status"]) };
    // Most of what is heard of a resource is what was written of it as status.
    if (known !== undefined && isSameSpec(known.metadata, metadata)) {
      const { status: _status, ...kept } = known;
      return { ...kept, ...rest };
    }
    const read = object.safeParse({ apiVersion, kind, metadata: { namespace, name }, spec: raw["spec"] });
    if (!read.success) {
      const fields = read.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
      log.error({ kind, namespace, name, fields }, "a stored resource does not fit the schema and is left alone");
      return placeholderFor(raw, rest);
    }
    return { ...read.data, ...rest };
  };
}

/**
 * A SenderDomain that does not fit the schema holds its domain all the same: what its relay's pods have of it must stay, and
 * no younger one takes the domain.
 */
function placeholderFor({ kind, apiVersion, metadata, spec }: RawObject, rest: object): RawObject | undefined {
  if (kind !== "SenderDomain" || !isRecord(spec)) return undefined;
  const { namespace, name } = metadata;
  const held = { domain: spec["domain"], relayRef: spec["relayRef"], senders: [{ trustedNetworks: true }] };
  const read = senderDomain.safeParse({ apiVersion, kind, metadata: { namespace, name }, spec: held });
  return read.success ? { ...read.data, ...rest, metadata, [placeholderMark]: true } : undefined;
}

/** Records to publish are most of a status, and only people read them: of them the digest is enough. */
function statusOf(status: MailRelayStatus | SenderDomainStatus | undefined): object {
  if (status === undefined) return {};
  if (!("dnsRecords" in status)) return { status };
  const { dnsRecords: _records, ...kept } = status;
  return { status: kept };
}

function isSameSpec(known: RawMetadata, seen: RawMetadata): boolean {
  return known.uid === seen.uid && known["generation"] === seen["generation"];
}
