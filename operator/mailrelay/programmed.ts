/** What the pods run compared with what they should run, and the summary that people and kstatus read. Pure. */
import { type Condition, setCondition } from "../../api/condition.ts";
import { relayLabel } from "../../api/labels.ts";
import type { MailRelayStatus } from "../../api/mailrelay.ts";
import { finding, type RelayFinding } from "./assess.ts";
import { whyUnready } from "../pods/hindrance.ts";
import { loginsOf } from "../pods/logins.ts";
import { type Intended, runs } from "../pods/nudge.ts";
import type { RelayWorld } from "./world.ts";
import type { ClaimFact, Figures, PodFact } from "../pods/facts.ts";

/** What should run: everything that was rendered, and in how many pods. */
export interface Intention extends Intended {
  readonly replicas: number;
}

const asleep = "spec.replicas is 0: the relay hibernates, and takes no mail";

export function judgeProgrammed(world: RelayWorld, intention: Intention): RelayFinding {
  const { replicas, revision } = intention;
  if (world.relay.spec.replicas === 0) return finding("Programmed", "False", "Hibernating", asleep);
  const refused = world.pods.find((pod) => pod.report?.configurationError !== undefined);
  if (refused !== undefined) {
    const message = `pod ${refused.name} keeps its last good configuration: ${refused.report?.configurationError ?? ""}`;
    return finding("Programmed", "False", "ConfigurationRefused", message);
  }
  const ready = world.pods.filter((pod) => pod.ready);
  if (ready.length === 0 || revision === undefined) {
    return finding("Programmed", "False", "NoReadyPods", `no pod is ready yet: ${whyUnready(world)}`);
  }
  const behind = world.pods.filter((pod) => !runs(pod, intention)).map((pod) => pod.name);
  if (behind.length > 0) {
    const message = `${behind.join(", ")} have not loaded the newest configuration yet`;
    return finding("Programmed", "False", "WaitingForPods", message);
  }
  if (ready.length < replicas) {
    const message =
      `${ready.length} of ${replicas} pods are ready, which run the newest configuration; of the others: ` +
      whyUnready(world);
    return finding("Programmed", "False", "WaitingForPods", message);
  }
  return finding("Programmed", "True", "Programmed", "every pod runs the newest configuration");
}

export function judgeAvailable(world: RelayWorld): RelayFinding {
  if (world.relay.spec.replicas === 0) return finding("Available", "False", "Hibernating", asleep);
  const ready = world.pods.filter((pod) => pod.ready).length;
  if (ready > 0) return finding("Available", "True", "PodsAvailable", "mail is taken");
  return finding("Available", "False", "PodsUnavailable", `no pod takes mail yet: ${whyUnready(world)}`);
}

/** What the conditions do not say. */
export interface Circumstances {
  /** As whyUnsent() says it. */
  readonly unsent: string | undefined;
  readonly hasPods: boolean;
}

/** Ready, Reconciling and Stalled as kstatus reads them, from the conditions that stand for something. */
export function summarizeRelay(
  findings: readonly RelayFinding[],
  { unsent, hasPods }: Circumstances,
): readonly RelayFinding[] {
  const judged = findings.filter((entry) => entry.type !== "Draining");
  const broken = judged.find(needsAction) ?? judged.find((entry) => entry.status !== "True");
  const draining = findings.find((entry) => entry.type === "Draining" && isUnderWay(entry));
  const reconciling =
    draining === undefined
      ? finding("Reconciling", "False", "Settled", "nothing is left to do")
      : finding("Reconciling", "True", "Progressing", draining.message);
  const moving = finding("Stalled", "False", "Settled", "nothing stands in the way");
  if (broken === undefined) {
    const message = unsent === undefined ? "mail is taken, signed and sent" : `mail is taken, but ${unsent}`;
    return [finding("Ready", "True", "Ready", message), reconciling, moving];
  }
  // Ready is what was asked for: whoever waits for a relay to be asleep must see when it is.
  if (broken.reason === "Hibernating" && !hasPods) {
    return [finding("Ready", "True", "Hibernating", broken.message), reconciling, moving];
  }
  if (needsAction(broken)) {
    return [
      finding("Ready", "False", "Invalid", broken.message),
      finding("Reconciling", "False", "Settled", "waits for a person"),
      finding("Stalled", "True", "Invalid", broken.message),
    ];
  }
  return [
    finding("Ready", "False", "Progressing", broken.message),
    finding("Reconciling", "True", "Progressing", broken.message),
    moving,
  ];
}

/** A volume that is kept waits for a person to want its pod back; nobody is at work on it. */
function isUnderWay(draining: RelayFinding): boolean {
  return draining.status === "True" && draining.reason !== "SpoolRetained";
}

function needsAction(broken: RelayFinding): boolean {
  if (broken.status === "True") return false;
  if (broken.type === "Accepted" || broken.type === "ResolvedRefs") return true;
  return broken.type === "CertificateReady" && broken.reason !== "Pending";
}

export interface StatusQuestion {
  readonly world: Pick<RelayWorld, "now" | "pods"> & {
    readonly relay: Pick<RelayWorld["relay"], "metadata" | "status">;
  };
  readonly findings: readonly RelayFinding[];
  readonly revision: string | undefined;
  /** Of the documents that the pods have; it wakes the domains, which read it where it is mounted. */
  readonly documentVersion?: number | undefined;
  /** Pods there should be in the end. */
  readonly desired: number;
  readonly retained: readonly ClaimFact[];
  readonly figures: Figures;
  /** Why nothing that is taken is sent. */
  readonly unsent: string | undefined;
}

export function relayStatus({
  world,
  findings,
  revision,
  documentVersion,
  desired,
  retained,
  figures,
  unsent,
}: StatusQuestion): MailRelayStatus {
  const { relay, now, pods } = world;
  const { at: _at, ...queue } = figures;
  const generation = relay.metadata.generation ?? 0;
  const all = [...findings, ...summarizeRelay(findings, { unsent, hasPods: pods.length > 0 })];
  const conditions = all.reduce<readonly Condition[]>(
    (list, entry) => setCondition(list, { ...entry, observedGeneration: generation }, now),
    relay.status?.conditions ?? [],
  );
  return {
    observedGeneration: generation,
    conditions: [...conditions],
    replicas: pods.length,
    readyReplicas: pods.filter((pod) => pod.ready).length,
    desiredReplicas: desired,
    selector: `${relayLabel}=${relay.metadata.name}`,
    ...queue,
    ...(revision === undefined ? {} : { revision }),
    ...(documentVersion === undefined ? {} : { documentVersion }),
    ...releaseOf(pods),
    ...loginsOf(pods, relay.status?.logins),
    pods: pods.map(podStatus),
    ...(retained.length === 0 ? {} : { retainedSpools: retained.map(retainedStatus) }),
  };
}

/** The oldest that a ready pod runs; nothing while one of them does not tell. */
function releaseOf(pods: readonly PodFact[]): Pick<MailRelayStatus, "version"> {
  const releases = pods.filter((pod) => pod.ready).map((pod) => pod.report?.release);
  const told = releases.filter((one) => one !== undefined);
  const [oldest] = told.sort((left, right) => left.localeCompare(right, "en", { numeric: true }));
  return oldest === undefined || told.length < releases.length ? {} : { version: oldest };
}

function podStatus(pod: PodFact): NonNullable<MailRelayStatus["pods"]>[number] {
  const { report } = pod;
  return {
    name: pod.name,
    ready: pod.ready,
    ...(report?.revision === undefined ? {} : { revision: report.revision }),
    ...(report?.certificate === undefined ? {} : { certificateFingerprint: report.certificate.fingerprint }),
  };
}

function retainedStatus({ name, queued }: ClaimFact): NonNullable<MailRelayStatus["retainedSpools"]>[number] {
  return { claimName: name, ...(queued === undefined ? {} : { queued }) };
}
