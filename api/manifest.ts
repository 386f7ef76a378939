/**
 * A manifest as a person wrote it -> the object with its defaults, or what is wrong with it: the field in Kubernetes'
 * spelling and what to do. Never throws. An unknown field is refused, because a slip that is silently dropped is a
 * setting that silently does nothing.
 */
import type { z } from "zod";
import { fieldPath, placeIn, withoutNulls } from "./fault/path.ts";
import { apiVersion, mailRelayKind, senderDomainKind } from "./group.ts";
import { mailRelay, type MailRelay } from "./mailrelay.ts";
import { senderDomain, type SenderDomain } from "./senderdomain.ts";
import { explainIssue, type Fault } from "./fault/explain.ts";

export type Manifest =
  | { readonly kind: "MailRelay"; readonly object: MailRelay }
  | { readonly kind: "SenderDomain"; readonly object: SenderDomain }
  | { readonly kind: "invalid"; readonly errors: readonly Fault[] };

export type { Fault } from "./fault/explain.ts";

/** Decodes one document of either kind. Nulls count as absent, as on an API server. */
export function readManifest(document: unknown): Manifest {
  const value = withoutNulls(document);
  const kind = placeIn(value, ["kind"]);
  const writtenVersion = placeIn(value, ["apiVersion"]);
  if (writtenVersion !== apiVersion) {
    return invalid("apiVersion", `must be ${apiVersion}, not ${spell(writtenVersion)}`);
  }
  if (kind === mailRelayKind) return decode(mailRelay, value, (object) => ({ kind: "MailRelay", object }));
  if (kind === senderDomainKind) return decode(senderDomain, value, (object) => ({ kind: "SenderDomain", object }));
  return invalid("kind", `must be ${mailRelayKind} or ${senderDomainKind}, not ${spell(kind)}`);
}

/** One line for a person: `spec.hostname: is required: ...`. */
export function faultText(fault: Fault): string {
  return `${fault.path}: ${fault.message}`;
}

function decode<S extends z.ZodType>(schema: S, value: unknown, wrap: (object: z.output<S>) => Manifest): Manifest {
  const decoded = schema.safeParse(value);
  if (decoded.success) return wrap(decoded.data);
  const errors = decoded.error.issues.flatMap((issue) => explainIssue(issue, schema, value));
  const seen = new Set<string>();
  return { kind: "invalid", errors: errors.filter((fault) => !seen.has(fault.path) && seen.add(fault.path)) };
}

function invalid(path: string, message: string): Manifest {
  return { kind: "invalid", errors: [{ path: fieldPath([path]), message }] };
}

function spell(value: unknown): string {
  return value === undefined ? "missing" : JSON.stringify(value);
}
