/**
 * The whole intention for one MailRelay: what to apply, what to take away, what to say. Pure: same world, same plan.
 * What cannot be rendered leaves the last good objects as they are; status says why.
 */
import type { MailRelayStatus } from "../../api/mailrelay.ts";
import { domainDataKey } from "./objects/names.ts";
import type { KubeEvent } from "../kube/kube.ts";
import type { Secret, StatefulSet } from "../kube/objects.ts";
import { secretText } from "../kube/secret.ts";
import { transitionEvents } from "./transition.ts";
import { assessRelay } from "./assess.ts";
import { readCertificate, reissueReason } from "./certificate.ts";
import { relayDocumentOf } from "./document.ts";
import { renderCertificate } from "./objects/certificate.ts";
import { renderConfiguration } from "./objects/configuration.ts";
import { renderStatefulSet } from "./objects/statefulset.ts";
import { judgeAvailable, judgeProgrammed, relayStatus } from "./programmed.ts";
import type { RelayWorld } from "./world.ts";

/** Data keys that a shard has and no SenderDomain holds. */
export interface ShardRemoval {
  readonly secret: Secret;
  readonly keys: readonly string[];
}

export interface RelayPlan {
  /** Names that a new certificate of our own authority must carry; absent when none is needed. */
  readonly issueFor: readonly string[] | undefined;
  readonly removals: readonly ShardRemoval[];
  readonly apply: readonly (Secret | StatefulSet)[];
  readonly status: MailRelayStatus;
  readonly events: readonly KubeEvent[];
  readonly requeueAfterMs: number;
}

/** Until pods report what was rendered they are asked again soon; afterwards only their queues change. */
const waitingMs = 200;
const settledMs = 10_000;

export function planRelay(world: RelayWorld): RelayPlan {
  const { relay, now } = world;
  const reading = relayDocumentOf(world);
  const assessed = assessRelay(world, reading.problems);
  const revision = reading.document?.revision;
  const findings = [...assessed, judgeProgrammed(world, revision), judgeAvailable(world)];
  const status = relayStatus({ world, findings, revision });
  const events = transitionEvents({
    regarding: { kind: "MailRelay", namespace: relay.metadata.namespace, name: relay.metadata.name },
    before: relay.status?.conditions ?? [],
    after: status.conditions ?? [],
    ignored: new Set(["Reconciling", "Stalled", "Draining"]),
  });
  const isSettled = findings.every((entry) => entry.type !== "Programmed" || entry.status === "True");
  const said = { status, events, requeueAfterMs: isSettled || relay.spec.replicas === 0 ? settledMs : waitingMs };
  if (relay.spec.paused) return { issueFor: undefined, removals: [], apply: [], ...said };
  const certificate = certificateToMount(world);
  const removals = leftOverDocuments(world);
  const apply: (Secret | StatefulSet)[] = [];
  if (certificate !== undefined && certificate !== world.certificate) apply.push(certificate);
  // Shards change first: a configuration that names digests of the past would be loaded and replaced at once.
  if (reading.document !== undefined && removals.length === 0) apply.push(renderConfiguration(relay, reading.document));
  const isComplete = certificate !== undefined && reading.document !== undefined;
  if (isComplete || world.statefulSet !== undefined) apply.push(renderStatefulSet(relay, world.place.image));
  return { issueFor: certificateToIssue(world, now), removals, apply, ...said };
}

/** The manifest's certificate when it is usable, otherwise what the pods mount already. */
function certificateToMount(world: RelayWorld): Secret | undefined {
  const { secretName } = world.relay.spec.tls;
  if (secretName === undefined) return world.certificate;
  const given = world.secrets.get(secretName);
  const chain = secretText(given, "tls.crt");
  const privateKey = secretText(given, "tls.key");
  if (readCertificate(chain, privateKey).kind !== "usable" || chain === undefined || privateKey === undefined) {
    return world.certificate;
  }
  return renderCertificate(world.relay, { chain, privateKey });
}

function certificateToIssue(world: RelayWorld, now: number): readonly string[] | undefined {
  const { tls, hostname } = world.relay.spec;
  if (tls.selfSigned === undefined) return undefined;
  const names = [...new Set([hostname, ...world.place.certificateNames])];
  const own = world.certificate;
  const reading =
    own === undefined
      ? ({ kind: "absent" } as const)
      : readCertificate(secretText(own, "tls.crt"), secretText(own, "tls.key"));
  // One that was copied from a Secret is not ours to go on with.
  const isOurs = own !== undefined && secretText(own, "ca.crt") === world.authority?.certificate;
  if (reading.kind === "usable" && !isOurs) return names;
  return reissueReason({ reading, names, now }) === undefined ? undefined : names;
}

function leftOverDocuments(world: RelayWorld): readonly ShardRemoval[] {
  const held = new Set([...world.domains].map(domainDataKey));
  return [...world.shards.values()].flatMap((secret) => {
    const keys = Object.keys(secret.data).filter((key) => !held.has(key));
    return keys.length === 0 ? [] : [{ secret, keys }];
  });
}
