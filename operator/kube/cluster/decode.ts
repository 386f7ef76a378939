/**
 * Resources of ours as the API server stores them, with the defaults that only decoding fills in. One whose spec does not
 * fit the schema was stored under another version of it: of that one only what it holds is known, and why it does not fit.
 */
import { unjudged } from "../../../api/condition.ts";
import { withoutFormerDefaults } from "../../../api/former/fields.ts";
import { mailRelay, type MailRelayStatus, mailRelayStatus, usualClassName } from "../../../api/mailrelay.ts";
import { faultText, readManifest } from "../../../api/manifest.ts";
import { senderDomain, type SenderDomainStatus, senderDomainStatus } from "../../../api/senderdomain.ts";
import { isRecord, type RawMetadata, type RawObject } from "../client/resource.ts";
import { digestOf } from "./difference.ts";
import { type Decode, faultsOf } from "./views.ts";
import type { Log } from "../../../runtime/log.ts";

const schemas = {
  MailRelay: { object: mailRelay, status: mailRelayStatus },
  SenderDomain: { object: senderDomain, status: senderDomainStatus },
} as const;

/** All that a resource's status says; undefined where nobody has written one, or it cannot be read. */
export function wholeStatusOf(raw: RawObject | undefined): MailRelayStatus | SenderDomainStatus | undefined {
  const { status } = raw?.kind === "MailRelay" ? schemas.MailRelay : schemas.SenderDomain;
  return judgedBy<MailRelayStatus | SenderDomainStatus>(status.safeParse(raw?.["status"]).data);
}

/** More than these nobody reads at once. */
const mostFaults = 8;

export function decoder(log: Log): Decode {
  return (raw, known) => {
    const { kind, apiVersion, metadata } = raw;
    const { object, status } = kind === "MailRelay" ? schemas.MailRelay : schemas.SenderDomain;
    const { namespace, name } = metadata;
    const seen = judgedBy(status.safeParse(raw["status"]).data);
    const rest = { metadata, ...statusOf(seen), statusDigest: digestOf(raw["status"]) };
    const knownFaults = known === undefined ? undefined : faultsOf(known);
    // Most of what is heard of a resource is what was written of it as status.
    if (known !== undefined && knownFaults === undefined && isSameSpec(known.metadata, metadata)) {
      const { status: _status, ...kept } = known;
      return { ...kept, ...rest };
    }
    const spec = kind === "MailRelay" ? withoutFormerDefaults(raw["spec"]) : raw["spec"];
    const document = { apiVersion, kind, metadata: { namespace, name }, spec };
    const read = object.safeParse(document);
    if (read.success) return { ...read.data, ...rest };
    const manifest = readManifest(document);
    if (manifest.kind !== "invalid") return { ...manifest.object, ...rest };
    const faults = manifest.errors.slice(0, mostFaults).map(faultText);
    if (digestOf(faults) !== digestOf(knownFaults)) {
      log.error({ kind, namespace, name, faults }, "a stored resource does not fit the schema and is left alone");
    }
    const { spec: _spec, status: _status, ...identity } = raw;
    // What its status says beside conditions is written again as it was.
    return { ...identity, ...heldBy(raw), ...rest, ...(seen === undefined ? {} : { status: seen }), faults };
  };
}

/**
 * A SenderDomain holds its domain all the same: what its relay's pods have of it must stay, and no younger one takes the
 * domain.
 */
function heldBy({ kind, apiVersion, metadata, spec }: RawObject): object {
  if (kind !== "SenderDomain" || !isRecord(spec)) return { className: classNameOf(spec) };
  const { domain, relayRef } = spec;
  if (typeof domain !== "string" || !isRecord(relayRef) || typeof relayRef["name"] !== "string") return {};
  const { namespace, name } = metadata;
  const least = {
    domain: "example.com",
    relayRef: { name: "any" },
    senders: [{ name: "networks", trustedNetworks: true }],
  };
  const usual = senderDomain.parse({ apiVersion, kind, metadata: { namespace, name }, spec: least });
  const place = typeof relayRef["namespace"] === "string" ? { namespace: relayRef["namespace"] } : {};
  return { spec: { ...usual.spec, domain, relayRef: { name: relayRef["name"], ...place } } };
}

/** As it is stored, whatever else of the spec cannot be read. */
export function classNameOf(spec: unknown): string {
  const className = isRecord(spec) ? spec["className"] : undefined;
  return typeof className === "string" ? className : usualClassName;
}

/** What the API server fills in where nobody has written is no status. */
function judgedBy<S extends { readonly observedGeneration?: number | undefined }>(
  status: S | undefined,
): S | undefined {
  return status?.observedGeneration === unjudged.observedGeneration ? undefined : status;
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
