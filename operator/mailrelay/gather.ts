/** Reads the world of one MailRelay. Objects that are not there are absent from the value, never an error. */
import { relayLabel, shardLabel } from "../../api/labels.ts";
import type { MailRelay } from "../../api/mailrelay.ts";
import type { Kube } from "../kube/kube.ts";
import type { Secret, Stored } from "../kube/objects.ts";
import { secretText } from "../kube/secret.ts";
import { judgeConsent, refersTo } from "./binding.ts";
import type { CredentialSource } from "./credentials.ts";
import { authoritySecretName, certificateSecretName, configurationSecretName } from "./objects/names.ts";
import type { ReadReport } from "./reports.ts";
import { smarthostSecretNames } from "./smarthost.ts";
import type { CredentialFacts, IssuedCertificate, Place, PodFact, RelayWorld } from "./world.ts";

export interface RelaySources {
  readonly kube: Kube;
  readonly credentials: CredentialSource;
  readonly readReport: ReadReport;
  readonly place: Place;
  readonly now: () => number;
}

export async function gatherRelay(sources: RelaySources, relay: Stored<MailRelay>): Promise<RelayWorld> {
  const { kube, place } = sources;
  const { namespace, name } = relay.metadata;
  return {
    now: sources.now(),
    place,
    relay,
    credentials: await gatherCredentials(sources, relay),
    secrets: await gatherSecrets(kube, namespace, namedSecrets(relay)),
    authority: await readAuthority(kube, place.namespace),
    certificate: await kube.get("Secret", namespace, certificateSecretName(name)),
    configuration: await kube.get("Secret", namespace, configurationSecretName(name)),
    statefulSet: await kube.get("StatefulSet", namespace, name),
    shards: await gatherShards(kube, relay),
    domains: await gatherDomains(kube, relay),
    pods: await gatherPods(sources, relay),
  };
}

async function gatherCredentials(sources: RelaySources, relay: Stored<MailRelay>): Promise<CredentialFacts> {
  const { credentials } = relay.spec.authentication;
  if (credentials === undefined) return { documents: [], problems: [] };
  return sources.credentials.select({
    kube: sources.kube,
    namespace: relay.metadata.namespace,
    selector: credentials.secretSelector,
    field: "spec.authentication.credentials.secretSelector",
  });
}

function namedSecrets(relay: Stored<MailRelay>): readonly string[] {
  const { tls, delivery } = relay.spec;
  return [
    ...(tls.secretName === undefined ? [] : [tls.secretName]),
    ...smarthostSecretNames([...delivery.smarthosts, ...delivery.fallbackSmarthosts]),
  ];
}

export async function gatherSecrets(
  kube: Kube,
  namespace: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, Secret>> {
  const secrets = new Map<string, Secret>();
  for (const name of names) {
    const secret = await kube.get("Secret", namespace, name);
    if (secret !== undefined) secrets.set(name, secret);
  }
  return secrets;
}

export async function readAuthority(kube: Kube, namespace: string): Promise<IssuedCertificate | undefined> {
  const secret = await kube.get("Secret", namespace, authoritySecretName);
  const certificate = secretText(secret, "tls.crt");
  const privateKey = secretText(secret, "tls.key");
  return certificate === undefined || privateKey === undefined ? undefined : { certificate, privateKey };
}

async function gatherShards(kube: Kube, relay: Stored<MailRelay>): Promise<ReadonlyMap<string, Secret>> {
  const { namespace, name } = relay.metadata;
  const secrets = await kube.list("Secret", { namespace, labels: { [relayLabel]: name } });
  const shards = new Map<string, Secret>();
  for (const secret of secrets) {
    const shard = secret.metadata.labels?.[shardLabel];
    if (shard !== undefined) shards.set(shard, secret);
  }
  return shards;
}

async function gatherDomains(kube: Kube, relay: Stored<MailRelay>): Promise<ReadonlySet<string>> {
  const domains = new Set<string>();
  for (const domain of await kube.list("SenderDomain")) {
    if (!refersTo(domain, relay)) continue;
    const namespaceLabels = await kube.namespaceLabels(domain.metadata.namespace);
    if (judgeConsent({ relay, domain, namespaceLabels }).kind === "given") domains.add(domain.spec.domain);
  }
  return domains;
}

async function gatherPods(sources: RelaySources, relay: Stored<MailRelay>): Promise<readonly PodFact[]> {
  const { namespace, name } = relay.metadata;
  const pods = await sources.kube.list("Pod", { namespace, labels: { [relayLabel]: name } });
  const facts = pods.map(async (pod) => ({
    name: pod.metadata.name,
    ready: pod.status.ready,
    report: await sources.readReport(pod),
  }));
  const read = await Promise.all(facts);
  return read.sort((left, right) => left.name.localeCompare(right.name, "en", { numeric: true }));
}
