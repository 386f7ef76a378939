/**
 * Whether a domain's document fits into its shard. A Secret holds 1 MiB; without a bound one domain would fill it, and its
 * neighbours could not change any more. Pure.
 */
import type { DomainDocument } from "../../api/relayconfig.ts";
import { nameOf } from "../kube/kube.ts";
import { domainDataKey, shardOf, shardSecretName } from "../binding/shards.ts";
import type { DomainWorld } from "./world.ts";

/** Bytes that one domain may take of its shard. */
export const documentBytes = 128 * 1024;
/** Bytes that the API server lets the values of a Secret have together. */
export const shardBytes = 1024 * 1024;

export interface RoomProblem {
  readonly reason: "TooLarge" | "RelayFull";
  /** The field, how large it is, what to do. */
  readonly message: string;
}

/** `text` is the document as it would be written. A document that the shard has already is not in question. */
export function roomProblem(world: DomainWorld, document: DomainDocument, text: string): RoomProblem | undefined {
  const bytes = Buffer.byteLength(text);
  if (bytes > documentBytes) {
    const { field, remedy, part } = largestPart(document);
    const message =
      `${field}: the relay gets ${kibibytes(bytes)} KiB for this domain, of which this is ${kibibytes(part)}, ` +
      `and there is room for ${kibibytes(documentBytes)}: ${remedy}`;
    return { reason: "TooLarge", message };
  }
  const { domain, relay, shard } = world;
  const own = domainDataKey(domain.spec.domain);
  const others = [...(shard?.sizes ?? [])].filter(([key]) => key !== own);
  const taken = others.reduce((sum, [, size]) => sum + size, 0);
  if (relay === undefined || taken + bytes <= shardBytes) return undefined;
  const secret = shardSecretName(relay.metadata.name, shardOf(domain.spec.domain));
  const message =
    `spec.relayRef: MailRelay ${nameOf(relay.metadata)} is full: Secret ${secret} has ${kibibytes(taken)} KiB of ` +
    `${others.length} other domains, and there is room for ${kibibytes(shardBytes)}: name another MailRelay`;
  return { reason: "RelayFull", message };
}

interface Part {
  readonly field: string;
  readonly remedy: string;
  /** Bytes. */
  readonly part: number;
}

function largestPart(document: DomainDocument): Part {
  const size = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));
  const parts: readonly Part[] = [
    { field: "spec.dkim.keys", part: size(document.keys), remedy: "sign with fewer or smaller keys" },
    { field: "spec.senders", part: size(document.senders), remedy: "let it select fewer Secrets with logins" },
    {
      field: "spec.smarthosts",
      part: size(document.smarthosts),
      remedy: "give only the certificates that the next hop needs in ca.crt of its caRef",
    },
    { field: "spec.localParts", part: size(document.localParts), remedy: "list fewer" },
  ];
  return parts.reduce((largest, one) => (one.part > largest.part ? one : largest));
}

function kibibytes(bytes: number): number {
  return Math.ceil(bytes / 1024);
}
