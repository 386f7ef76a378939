/**
 * What is done for a MailRelay whose stored spec cannot be read, after an upgrade or a rollback: its pods and objects stay as
 * its last good spec made them, and status says which field is to be corrected. When it is deleted, everything is done that
 * needs no spec, and then it goes: it must not wait for ever for somebody who could read it. Pure.
 */
import { usualDrainDeadline } from "../../../api/fields/drain.ts";
import { parseDuration } from "../../../api/duration.ts";
import { timestamp } from "../../../api/condition.ts";
import {
  drainFinalizer,
  emptySpoolAnnotation,
  queuedAnnotation,
  retainedLabel,
  servingLabel,
} from "../../../api/labels.ts";
import { convertHint } from "../../../api/former/hint.ts";
import type { MailRelayStatus } from "../../../api/mailrelay.ts";
import type { Misfit } from "../../kube/objects.ts";
import type { Action, Plan } from "../../work/actions.ts";
import { rejectionText } from "../../work/rejection.ts";
import { finding, type RelayFinding } from "../assess.ts";
import { podNameAt } from "../../owned/names.ts";
import { asAction, finalize, relayEvents, settledMs } from "../plan.ts";
import { relayStatus } from "../programmed.ts";
import { decideFigures, roundedCount } from "../../pods/figures.ts";
import type { RelayWorld } from "../world.ts";
import type { ClaimFact, Figures, PodFact } from "../../pods/facts.ts";

export interface MisfitWorld extends Pick<
  RelayWorld,
  "now" | "statefulSet" | "pods" | "claims" | "figures" | "rejections"
> {
  readonly relay: Misfit<"MailRelay">;
}

export interface MisfitPlan extends Plan {
  readonly figures: Figures;
  readonly requeueAfterMs: number;
}

const leavingMs = 2_000;
/** What the API server refuses to write it refuses until a person has changed the resource, which is heard of. */
const refusedMs = 60_000;
/** What its spec says of it cannot be read. */
const drainDeadlineMs = parseDuration(usualDrainDeadline) ?? 0;

interface Deletion {
  readonly deadline: number;
  /** Pods with mail, or that do not say. */
  readonly waiting: readonly PodFact[];
  readonly isDone: boolean;
}

export function planMisfit(world: MisfitWorld): MisfitPlan {
  const { relay } = world;
  const deletion = deletionOf(world);
  const draining = deletion === undefined ? [] : [judgeDeletion(deletion)];
  const findings = [judgeSpec(relay), judgePods(world), ...draining];
  const replicas = world.statefulSet?.spec.replicas ?? 0;
  const retained = world.claims.filter((claim) => isWithoutPod(world, claim) && claim.ordinal >= replicas);
  const figures = decideFigures({ ...world, told: world.figures, said: relay.status });
  const judged = relayStatus({
    world,
    findings,
    documentVersion: relay.status?.documentVersion,
    revision: relay.status?.revision,
    desired: deletion === undefined ? replicas : 0,
    retained,
    figures,
    unsent: undefined,
  });
  // What takes a spec to know stays as it was told last.
  const { addresses, attachedDomains } = relay.status ?? {};
  const status: MailRelayStatus = {
    ...judged,
    ...(addresses === undefined ? {} : { addresses }),
    ...(attachedDomains === undefined ? {} : { attachedDomains }),
  };
  const isGoing = hasFinalizer(relay) && deletion?.isDone === true;
  const actions: readonly Action[] = [
    ...(deletion === undefined ? keeping(world) : leaving(world)),
    // Kubernetes lets faults be that were there before, but neither a list that is none nor a missing spec.
    { kind: "status", of: "MailRelay", metadata: relay.metadata, status, field: "spec", mayBeRefused: true },
    ...(isGoing ? [{ ...finalize(relay, false), field: "spec" }] : []),
    ...relayEvents(relay, status).map(asAction),
    ...tellRefusals(world),
  ];
  const asked = deletion === undefined ? settledMs : leavingMs;
  return { actions, figures, requeueAfterMs: world.rejections.length > 0 ? refusedMs : asked };
}

/** Somebody took the finalizer off, or a release that is installed again did: volumes would go unnamed with the relay. */
function keeping(world: MisfitWorld): readonly Action[] {
  const isBare = world.claims.length > 0 && !hasFinalizer(world.relay);
  return [...(isBare ? [{ ...finalize(world.relay, true), field: "spec" }] : []), ...withoutProofs(world)];
}

function leaving(world: MisfitWorld): readonly Action[] {
  return hasFinalizer(world.relay) ? [...withoutClients(world), ...retaining(world)] : [];
}

/** What status cannot say, because nothing of it is taken, an event does. */
function tellRefusals({ relay, rejections }: MisfitWorld): readonly Action[] {
  const [refused] = rejections;
  if (refused === undefined) return [];
  const { namespace, name } = relay.metadata;
  const until = `until its spec is corrected: ${relay.faults.join("; ")}`;
  const note =
    refused.field === "spec"
      ? `Kubernetes takes no write of this MailRelay ${until}: ${refused.message}`
      : rejectionText(refused);
  return [asAction({ regarding: { kind: "MailRelay", namespace, name }, type: "Warning", reason: "Invalid", note })];
}

function judgeSpec({ faults }: Misfit<"MailRelay">): RelayFinding {
  const message = `${faults.join("; ")}; pods go on with the last valid spec until this is corrected${convertHint(faults)}`;
  return finding("Accepted", "False", "Invalid", message);
}

/** What is wanted is not known; what there is, is. */
function judgePods({ pods, statefulSet }: MisfitWorld): RelayFinding {
  if (pods.some((pod) => pod.ready)) return finding("Available", "True", "PodsAvailable", "mail is taken");
  if (statefulSet?.spec.replicas === 0) return finding("Available", "False", "Hibernating", "there are no pods");
  return finding("Available", "False", "PodsUnavailable", "no pod takes mail");
}

function deletionOf({ now, relay, pods }: MisfitWorld): Deletion | undefined {
  const { deletionTimestamp } = relay.metadata;
  if (deletionTimestamp === undefined) return undefined;
  const deadline = Date.parse(deletionTimestamp) + drainDeadlineMs;
  // One that never ran has nothing, and nothing of one that is made anew is lost: its volume is kept.
  const waiting = pods.filter((pod) => pod.phase !== "Pending" && pod.report?.spool.queuedMessages !== 0);
  return { deadline, waiting, isDone: now >= deadline || waiting.length === 0 };
}

function judgeDeletion({ deadline, waiting }: Deletion): RelayFinding {
  const held = waiting.map(waitingText).join(", ");
  const message =
    held === ""
      ? "the pods are going; their volumes are kept"
      : `${held}: waits until they are empty, until ${timestamp(deadline)} at most; volumes are kept`;
  return finding("Draining", "True", "Deleting", message);
}

function waitingText({ name, report }: PodFact): string {
  return report === undefined
    ? `${name} (does not answer)`
    : `${name} (${roundedCount(report.spool.queuedRecipients)} recipients wait)`;
}

/** The pods deliver what they have, and take no more. */
function withoutClients({ relay, pods }: MisfitWorld): readonly Action[] {
  const { namespace } = relay.metadata;
  return pods
    .filter((pod) => pod.serving)
    .map(({ name }) => ({
      kind: "mark",
      reference: { kind: "Pod", namespace, name },
      change: { labels: { [servingLabel]: undefined } },
    }));
}

/** Whoever scales by hand meanwhile may put mail into a volume that was proven empty before: the proof must not outlive that. */
function withoutProofs({ relay, claims }: MisfitWorld): readonly Action[] {
  const { namespace } = relay.metadata;
  return claims
    .filter((claim) => claim.emptySpool !== undefined)
    .map(({ name }) => ({
      kind: "mark",
      reference: { kind: "PersistentVolumeClaim", namespace, name },
      change: { annotations: { [emptySpoolAnnotation]: undefined } },
    }));
}

/** All volumes are kept: without a spec no pod is told to close its door, and so none can prove that its spool stays empty. */
function retaining({ relay, pods, claims }: MisfitWorld): readonly Action[] {
  const { namespace, name: relayName } = relay.metadata;
  return claims.flatMap(({ name, ordinal, isRetained, queued }) => {
    const pod = pods.find((candidate) => candidate.name === podNameAt(relayName, ordinal));
    const waiting = pod?.report?.spool.queuedRecipients ?? queued;
    if (isRetained && waiting === queued) return [];
    const annotations = waiting === undefined ? {} : { [queuedAnnotation]: String(waiting) };
    const change = { labels: { [retainedLabel]: "true" }, annotations };
    return [{ kind: "mark" as const, reference: { kind: "PersistentVolumeClaim" as const, namespace, name }, change }];
  });
}

function isWithoutPod({ relay, pods }: MisfitWorld, claim: ClaimFact): boolean {
  const pod = podNameAt(relay.metadata.name, claim.ordinal);
  return claim.isBound && claim.queued !== 0 && !pods.some((candidate) => candidate.name === pod);
}

function hasFinalizer({ metadata }: Misfit<"MailRelay">): boolean {
  return metadata.finalizers?.includes(drainFinalizer) === true;
}
