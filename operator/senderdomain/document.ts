/**
 * The document that a SenderDomain's relay gets: each field of the spec that reaches the pods goes through here. What cannot be
 * rendered leaves the last good document whole. Pure.
 */
import {
  credentialLists,
  type DomainDocument,
  domainDocumentText,
  documentVersions,
  parseDomainDocument,
} from "../../api/relayconfig.ts";
import { judgeConsent } from "../binding/consent.ts";
import { rsaKeyDocument } from "../dkim/privatekey.ts";
import { givenVersion } from "../mailrelay/document.ts";
import { type Readings, readReferences } from "../references/readings.ts";
import { smarthostDocuments } from "../references/smarthost.ts";
import { hasDocument } from "./assess.ts";
import { keyFacts, keysToMake } from "./keys.ts";
import { domainReferences } from "./references.ts";
import { roomProblem, type RoomProblem } from "./room.ts";
import { limitsDocument, namedBy, senderEntriesOf } from "./senderentries.ts";
import type { DomainWorld, KeyFacts, PreviousDocument } from "./world.ts";

export interface Rendering {
  /** The domain's document as it should be in the pods; undefined while it has none. */
  readonly text: string | undefined;
  readonly readings: Readings;
  readonly room: RoomProblem | undefined;
}

export function renderFor(world: DomainWorld, keys: KeyFacts): Rendering {
  const readings = readReferences(domainReferences(world.domain), world);
  const hasNoKey = keysToMake(world).length > 0 && keys.usable.length === 0;
  // A way out that cannot be followed leaves the last good document whole: the relay's own would be another way.
  const isBlocked = readings.problems.length > 0 || cannotBeRead(world) || hasNoKey;
  const current = isBlocked ? world.previous : renderDomain(world, keys, readings);
  if (current === undefined) return { text: undefined, readings, room: undefined };
  const document = { ...current, version: givenVersion(world.relay?.status, world.mounted) ?? documentVersions.newest };
  const text = domainDocumentText(document);
  return { text, readings, room: hasDocument(world, text) ? undefined : roomProblem(world, document, text) };
}

/** Senders whose Secrets may not be read just now keep their access; those whose Secrets are gone lose it. */
function cannotBeRead(world: DomainWorld): boolean {
  return world.isRelayForbidden || world.credentials.problems.some((problem) => problem.kind === "forbidden");
}

/** Whether something is wrong or missing that the document which the pods have can stand in for. */
export function needsPrevious(world: DomainWorld): boolean {
  return (
    cannotBeRead(world) ||
    keysToMake(world).length > 0 ||
    keyFacts(world, undefined).problems.length > 0 ||
    readReferences(domainReferences(world.domain), world).problems.length > 0
  );
}

/** `text` is the domain's document in its shard; one that another SenderDomain wrote is no fallback. */
export function previousDocument(domain: DomainWorld["domain"], text: string | undefined): PreviousDocument {
  if (text === undefined) return undefined;
  try {
    const document = parseDomainDocument(JSON.parse(text));
    const { namespace, name } = document.senderDomain;
    return namespace === domain.metadata.namespace && name === domain.metadata.name ? document : undefined;
  } catch {
    // Written by another version: it is replaced.
    return undefined;
  }
}

function renderDomain(world: DomainWorld, keys: KeyFacts, readings: Readings): DomainDocument {
  const { metadata, spec } = world.domain;
  const { smarthosts } = spec;
  return {
    version: documentVersions.newest,
    senderDomain: { namespace: metadata.namespace, name: metadata.name },
    domain: spec.domain,
    keys: keys.usable.map(({ selector, algorithm, privateKey }) => ({
      selector,
      privateKey: algorithm === "rsa" ? rsaKeyDocument(privateKey) : privateKey,
    })),
    ...(spec.dkim === undefined ? { unsigned: true as const } : {}),
    senders: {
      ...credentialLists(world.credentials.documents),
      ...namedBy(spec.senders),
    },
    localParts: [...spec.localParts],
    smarthosts: [
      ...smarthostDocuments({ smarthosts, field: "spec.smarthosts", readings, installation: world.installation }),
    ],
    limits: limitsDocument(spec.limits ?? {}),
    ...senderEntriesOf(world),
    ...tenantOf(world),
    ...(spec.bounces === undefined ? {} : { bounces: { to: spec.bounces.to } }),
  };
}

/** Of an entry that limits nothing the relay need not know. */
function tenantOf({ relay, domain, namespaceLabels }: DomainWorld): Pick<DomainDocument, "tenant"> {
  if (relay === undefined) return {};
  const consent = judgeConsent({ relay, domain, namespaceLabels });
  if (consent.kind !== "given" || consent.tenant.limits === undefined) return {};
  const { name, limits } = consent.tenant;
  return { tenant: { name, limits: limitsDocument(limits) } };
}
