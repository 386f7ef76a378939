/** Reads the world of one SenderDomain. Objects that are not there are absent from the value, never an error. */
import { dkimSelectorLabel, senderDomainLabel } from "../../api/labels.ts";
import type { MailRelay } from "../../api/mailrelay.ts";
import type { SenderDomain } from "../../api/senderdomain.ts";
import { ForbiddenError, keyOf, type Kube, nameOf, hides } from "../kube/kube.ts";
import type { Secret, Stored } from "../kube/objects.ts";
import { secretText } from "../kube/secret.ts";
import { judgeConsent } from "../binding/consent.ts";
import { readRelayDocument } from "../mailrelay/document.ts";
import { readShards, type RelaySources } from "../mailrelay/gather.ts";
import { configurationSecretName } from "../owned/names.ts";
import { domainDataKey, shardOf, shardSecretName } from "../binding/shards.ts";
import type { CredentialFacts } from "../credentials/logins.ts";
import { gatherReferred, secretReader } from "../references/gather.ts";
import { isKeyOf } from "./keys.ts";
import { needsPrevious, previousDocument } from "./document.ts";
import { domainReferences, domainSelections, relayOf } from "./references.ts";
import type { DomainWorld, PreviousDocument } from "./world.ts";

export type DomainSources = Omit<RelaySources, "readReport">;

export async function gatherDomain(sources: DomainSources, domain: Stored<SenderDomain>): Promise<DomainWorld> {
  const { kube } = sources;
  const { namespace, name } = domain.metadata;
  const place = relayOf(domain);
  const relay = await kube.get("MailRelay", place.namespace, place.name);
  const misfit = relay === undefined ? await kube.misfit("MailRelay", place.namespace, place.name) : undefined;
  const reader = secretReader(kube, namespace);
  const mounted = await gatherMounted(sources, domain, relay ?? misfit);
  const world: DomainWorld = {
    now: sources.now(),
    installation: sources.installation,
    domain,
    relay,
    misfit,
    relaySight: kube.sight(place.namespace),
    namespaceLabels: await kube.namespaceLabels(namespace),
    rivals: relay === undefined ? [] : await gatherRivals(sources, domain, relay),
    ...(await gatherReferred(kube, reader, domainReferences(domain))),
    forbidden: reader.forbidden,
    managedKeys: await gatherManagedKeys(sources, domain),
    credentials: await gatherCredentials(sources, domain),
    ...mounted,
    unseenHolder: relay === undefined ? undefined : await gatherUnseenHolder(kube, { domain, relay, ...mounted }),
    rejections: sources.memory.rejections.of(keyOf({ kind: "SenderDomain", namespace, name })),
    previous: undefined,
    loaded: sources.memory.loaded(nameOf(domain.metadata)),
  };
  return needsPrevious(world) ? { ...world, previous: await readPrevious(world, kube) } : world;
}

/** The one read of key material that the pods have; most reconciles do without. */
async function readPrevious({ domain, ...world }: DomainWorld, kube: Kube): Promise<PreviousDocument> {
  const relay = world.relay ?? world.misfit;
  if (relay === undefined) return undefined;
  const { namespace, name } = relay.metadata;
  const shard = await secretReader(kube, namespace).get(shardSecretName(name, shardOf(domain.spec.domain)));
  return previousDocument(domain, secretText(shard, domainDataKey(domain.spec.domain)));
}

async function gatherRivals(
  sources: DomainSources,
  domain: Stored<SenderDomain>,
  relay: Stored<MailRelay>,
): Promise<readonly Stored<SenderDomain>[]> {
  const rivals: Stored<SenderDomain>[] = [];
  const query = { relay: nameOf(relay.metadata), domain: domain.spec.domain };
  for (const other of await sources.kube.list("SenderDomain", query)) {
    if (nameOf(other.metadata) === nameOf(domain.metadata)) continue;
    const namespaceLabels = await sources.kube.namespaceLabels(other.metadata.namespace);
    if (judgeConsent({ relay, domain: other, namespaceLabels }).kind !== "refused") rivals.push(other);
  }
  return rivals;
}

/** A rival that is not seen: it has the domain for as long as the relay admits its namespace. */
async function gatherUnseenHolder(
  kube: Kube,
  { domain, relay, shard }: Pick<DomainWorld, "domain" | "shard"> & { readonly relay: Stored<MailRelay> },
): Promise<string | undefined> {
  const namespace = shard?.namespaces.get(domainDataKey(domain.spec.domain));
  if (namespace === undefined || namespace === domain.metadata.namespace) return undefined;
  if (!hides(kube.sight(namespace), "SenderDomain")) return undefined;
  const holder = { metadata: { namespace }, spec: domain.spec };
  const namespaceLabels = await kube.namespaceLabels(namespace);
  return judgeConsent({ relay, domain: holder, namespaceLabels }).kind === "refused" ? undefined : namespace;
}

async function gatherManagedKeys(
  sources: DomainSources,
  domain: Stored<SenderDomain>,
): Promise<readonly Secret[] | undefined> {
  if (domain.spec.dkim?.managed === undefined) return [];
  const { namespace, name } = domain.metadata;
  const secrets = await sources.kube
    .list("Secret", { namespace, labels: { [senderDomainLabel]: name } })
    .catch((error: unknown) => nothingWhereForbidden(error));
  return secrets
    ?.filter((secret) => isKeyOf(secret, domain))
    .sort((left, right) => (selectorOf(left) < selectorOf(right) ? -1 : 1));
}

/** The document that the pods have then stays as it is, because the keys cannot be told from keys that are to be made. */
function nothingWhereForbidden(error: unknown): undefined {
  if (error instanceof ForbiddenError) return undefined;
  throw error;
}

function selectorOf(secret: Secret): string {
  return secret.metadata.labels?.[dkimSelectorLabel] ?? "";
}

async function gatherCredentials(sources: DomainSources, domain: Stored<SenderDomain>): Promise<CredentialFacts> {
  const { namespace, name } = domain.metadata;
  return sources.credentials.select({
    kube: sources.kube,
    installation: sources.installation,
    asker: keyOf({ kind: "SenderDomain", namespace, name }),
    relay: nameOf(relayOf(domain)),
    namespace,
    selectors: domainSelections(domain),
    now: sources.now(),
  });
}

async function gatherMounted(
  sources: DomainSources,
  domain: Stored<SenderDomain>,
  relay: Pick<Stored<MailRelay>, "metadata"> | undefined,
): Promise<Pick<DomainWorld, "shard" | "mounted" | "isRelayForbidden">> {
  if (relay === undefined) return { shard: undefined, mounted: undefined, isRelayForbidden: false };
  const { namespace, name } = relay.metadata;
  const reader = secretReader(sources.kube, namespace);
  const shard = (await readShards(sources.kube, { namespace, name })).get(shardOf(domain.spec.domain));
  const configuration = await reader.get(configurationSecretName(name));
  return { shard, mounted: readRelayDocument(configuration), isRelayForbidden: reader.forbidden.size > 0 };
}
