/** What the pods run compared with what they should run, and the summary that people and kstatus read. Pure. */
import { type Condition, setCondition, timestamp } from "../../api/condition.ts";
import { relayLabel } from "../../api/labels.ts";
import type { MailRelayStatus } from "../../api/mailrelay.ts";
import { finding, type RelayFinding } from "./assess.ts";
import type { PodFact, RelayWorld } from "./world.ts";

/** `revision` is what was rendered; undefined while nothing can be. */
export function judgeProgrammed(world: RelayWorld, revision: string | undefined): RelayFinding {
  const { replicas } = world.relay.spec;
  if (replicas === 0) return finding("Programmed", "False", "Hibernating", "spec.replicas is 0");
  const refused = world.pods.find((pod) => pod.report?.configurationError !== undefined);
  if (refused !== undefined) {
    const message = `pod ${refused.name} keeps its last good configuration: ${refused.report?.configurationError ?? ""}`;
    return finding("Programmed", "False", "ConfigurationRefused", message);
  }
  const ready = world.pods.filter((pod) => pod.ready);
  if (ready.length === 0 || revision === undefined) {
    return finding("Programmed", "False", "NoReadyPods", "no pod is ready yet");
  }
  const behind = world.pods.filter((pod) => pod.report?.revision !== revision).map((pod) => pod.name);
  if (behind.length > 0) {
    const message = `${behind.join(", ")} have not loaded the newest configuration yet`;
    return finding("Programmed", "False", "WaitingForPods", message);
  }
  if (ready.length < replicas) {
    const message = `${ready.length} of ${replicas} pods are ready; the ready ones run the newest configuration`;
    return finding("Programmed", "False", "WaitingForPods", message);
  }
  return finding("Programmed", "True", "Programmed", "every pod runs the newest configuration");
}

export function judgeAvailable(world: RelayWorld): RelayFinding {
  if (world.relay.spec.replicas === 0) return finding("Available", "False", "Hibernating", "spec.replicas is 0");
  const ready = world.pods.filter((pod) => pod.ready).length;
  if (ready > 0) return finding("Available", "True", "PodsAvailable", "mail is taken");
  return finding("Available", "False", "PodsUnavailable", "no pod takes mail yet");
}

/** Ready, Reconciling and Stalled as kstatus reads them, from the conditions that stand for something. */
export function summarizeRelay(findings: readonly RelayFinding[]): readonly RelayFinding[] {
  const broken = findings.find((entry) => entry.status !== "True");
  if (broken === undefined) {
    return [
      finding("Ready", "True", "Ready", "mail is taken, signed and sent"),
      finding("Reconciling", "False", "Settled", "nothing is left to do"),
      finding("Stalled", "False", "Settled", "nothing stands in the way"),
    ];
  }
  if (broken.reason === "Hibernating") {
    return [
      finding("Ready", "False", "Hibernating", broken.message),
      finding("Reconciling", "False", "Settled", "nothing is left to do"),
      finding("Stalled", "False", "Settled", "nothing stands in the way"),
    ];
  }
  const needsPerson = needsAction(broken);
  return [
    finding("Ready", "False", needsPerson ? "Invalid" : "Progressing", broken.message),
    needsPerson
      ? finding("Reconciling", "False", "Settled", "waits for a person")
      : finding("Reconciling", "True", "Progressing", broken.message),
    needsPerson
      ? finding("Stalled", "True", "Invalid", broken.message)
      : finding("Stalled", "False", "Settled", "nothing stands in the way"),
  ];
}

function needsAction(broken: RelayFinding): boolean {
  return broken.type === "ResolvedRefs" || (broken.type === "CertificateReady" && broken.reason !== "Pending");
}

export interface StatusQuestion {
  readonly world: RelayWorld;
  readonly findings: readonly RelayFinding[];
  readonly revision: string | undefined;
}

export function relayStatus({ world, findings, revision }: StatusQuestion): MailRelayStatus {
  const { relay, now, pods } = world;
  const generation = relay.metadata.generation ?? 0;
  const draining = finding("Draining", "False", "NotDraining", "no pod is leaving");
  const all = [...findings, draining, ...summarizeRelay(findings)];
  const conditions = all.reduce<readonly Condition[]>(
    (list, entry) => setCondition(list, { ...entry, observedGeneration: generation }, now),
    relay.status?.conditions ?? [],
  );
  const oldest = oldestDue(pods);
  return {
    observedGeneration: generation,
    conditions: [...conditions],
    replicas: pods.length,
    readyReplicas: pods.filter((pod) => pod.ready).length,
    desiredReplicas: relay.spec.replicas,
    selector: `${relayLabel}=${relay.metadata.name}`,
    queued: roundedCount(pods.reduce((sum, pod) => sum + (pod.report?.spool.queuedRecipients ?? 0), 0)),
    ...(oldest === undefined ? {} : { oldestDueTime: oldest }),
    ...(revision === undefined ? {} : { revision }),
    pods: pods.map(podStatus),
  };
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

/** To whole minutes: a status that changes every second is a write every second. */
function oldestDue(pods: readonly PodFact[]): string | undefined {
  const times = pods.flatMap((pod) => {
    const time = pod.report?.spool.oldestDueTime;
    return time === undefined ? [] : [Date.parse(time)];
  });
  if (times.length === 0) return undefined;
  return timestamp(Math.floor(Math.min(...times) / 60_000) * 60_000);
}

/** Two significant digits: exact below 100. */
export function roundedCount(count: number): number {
  return count < 100 ? count : Number(count.toPrecision(2));
}
