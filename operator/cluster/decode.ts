/**
 * Resources of ours as the API server stores them, with the defaults that only decoding fills in. One that does not fit
 * the schema was stored under another version of it: it is left alone, and the log says which and why.
 */
import { mailRelay, mailRelayStatus } from "../../api/mailrelay.ts";
import { senderDomain, senderDomainStatus } from "../../api/senderdomain.ts";
import type { RawMetadata } from "../kube/client/resource.ts";
import type { Decode } from "../kube/cluster/views.ts";
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
    const seen = status.safeParse(raw["status"]);
    const rest = { metadata, ...(seen.success ? { status: seen.data } : {}) };
    // Most of what is heard of a resource is what was written of it as status.
    if (known !== undefined && isSameSpec(known.metadata, metadata)) {
      const { status: _status, ...kept } = known;
      return { ...kept, ...rest };
    }
    const read = object.safeParse({ apiVersion, kind, metadata: { namespace, name }, spec: raw["spec"] });
    if (!read.success) {
      const fields = read.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
      log.error({ kind, namespace, name, fields }, "a stored resource does not fit the schema and is left alone");
      return undefined;
    }
    return { ...read.data, ...rest };
  };
}

function isSameSpec(known: RawMetadata, seen: RawMetadata): boolean {
  return known.uid === seen.uid && known["generation"] === seen["generation"];
}
