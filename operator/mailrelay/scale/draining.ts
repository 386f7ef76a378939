/**
 * What is said of pods that leave: which, what is left in them, what stands in their way and what to do about it. A pod that
 * hands its mail over is on its way; one that cannot is told apart, because a person may have to act. Pure.
 */
import type { KubeEvent, Reference } from "../../kube/kube.ts";
import { administrationPort } from "../../../api/administration.ts";
import { finding, type RelayFinding } from "../assess.ts";
import { podNameAt } from "../../owned/names.ts";
import { roundedCount } from "../../pods/figures.ts";
import type { RelayWorld } from "../world.ts";
import type { ScaleDecision } from "./scale.ts";
import type { ClaimFact, PodFact } from "../../pods/facts.ts";

export interface DrainFacts {
  readonly scale: ScaleDecision;
  /** When a relay that is being deleted goes with what it holds, RFC 3339; undefined when it is not being deleted. */
  readonly deadline: string | undefined;
}

export function judgeDraining(world: RelayWorld, { scale, deadline }: DrainFacts): RelayFinding {
  const held = scale.held.map((name) => ({ name, pod: world.pods.find((pod) => pod.name === name) }));
  const texts = held.map(heldText).join(", ");
  if (deadline !== undefined) {
    const message =
      texts === "" ? "the pods are going" : `${texts}: waits until they are empty, until ${deadline} at most`;
    return finding("Draining", "True", "Deleting", message);
  }
  if (held.length > 0) return judgeHeld(world, scale, held);
  if (world.relay.spec.replicas !== 0 && world.pods.some((pod) => scale.leaving.has(pod.name))) {
    return finding("Draining", "True", "ScalingIn", `${[...scale.leaving].join(", ")}: going, with empty spools`);
  }
  const returning = world.pods.find((pod) => !scale.leaving.has(pod.name) && pod.report?.drain !== undefined);
  if (world.relay.spec.replicas !== 0 && returning !== undefined) {
    const { orderFailure } = returning;
    const why = orderFailure === undefined ? "" : `; it cannot be told so: ${orderFailure.why}`;
    return finding("Draining", "True", "ScalingIn", `${returning.name}: stays after all and takes mail again${why}`);
  }
  if (world.relay.spec.replicas !== 0 && scale.retained.length > 0) {
    const volumes = scale.retained.map(retainedText).join(", ");
    const message = `${volumes}: mail of a pod that is gone; scale out until the pod is back, and it goes on`;
    return finding("Draining", "True", "SpoolRetained", message);
  }
  return finding("Draining", "False", "NotDraining", "no pod is leaving");
}

interface Held {
  readonly name: string;
  /** Undefined while it is made anew. */
  readonly pod: PodFact | undefined;
}

function judgeHeld(world: RelayWorld, scale: ScaleDecision, held: readonly Held[]): RelayFinding {
  const present = world.statefulSet?.spec.replicas ?? 0;
  const undo = `set spec.replicas back to ${present} to keep what there is`;
  const troubled = held.flatMap((one) => {
    const trouble = troubleOf(one, scale.peers);
    return trouble === undefined ? [] : [`${heldText(one)}: ${trouble}`];
  });
  if (troubled.length > 0) {
    return finding("Draining", "True", "SpoolNotEmpty", `${troubled.join("; ")}; or ${undo}`);
  }
  const message = `${held.map(heldText).join(", ")}: hands its mail over and leaves when its spool is empty; ${undo}`;
  return finding("Draining", "True", "HandingOver", message);
}

/** What stands in the way, with what to do; undefined while the pod gets on. */
function troubleOf({ pod }: Held, peers: number): string | undefined {
  // One answer that did not come is no trouble yet: a pod that goes on not answering is not ready for long.
  if (pod?.report === undefined) {
    return pod?.ready === true
      ? undefined
      : "it leaves once it answers and its spool is empty: see why it is not ready";
  }
  const { drain } = pod.report;
  if (pod.administration === undefined) return "it cannot hand its mail over and leaves when it has delivered it";
  if (drain === undefined && pod.orderFailure !== undefined) {
    const port = administrationPort;
    return `the order to hand its mail over cannot be given (${pod.orderFailure.why}): let the operator reach its port ${port}`;
  }
  if (drain?.failure !== undefined) {
    const remedy = `see that the pods that stay are ready, have room and can be reached on port ${administrationPort}`;
    return `its mail is not taken (${drain.failure}): ${remedy}`;
  }
  if (peers === 0) return "no pod that stays is ready to take its mail, so it delivers what it can";
  return undefined;
}

function heldText({ pod, name }: Held): string {
  const report = pod?.report;
  if (report === undefined) return `${name} (does not answer)`;
  const left = `${roundedCount(report.spool.queuedRecipients)} recipients wait`;
  const done = report.drain?.handedOver ?? 0;
  return `${name} (${left}${done === 0 ? "" : `, ${roundedCount(done)} messages handed over`})`;
}

function retainedText({ name, queued }: ClaimFact): string {
  return queued === undefined ? `${name} (nobody knows how much)` : `${name} (${queued} recipients wait)`;
}

/** What happens once and leaves no condition behind: a pod that may go now, and a volume that goes. */
export function drainEvents(world: RelayWorld, scale: ScaleDecision, removed: readonly string[]): readonly KubeEvent[] {
  const { namespace, name } = world.relay.metadata;
  const regarding: Reference = { kind: "MailRelay", namespace, name };
  const present = world.statefulSet?.spec.replicas ?? 0;
  const events: KubeEvent[] = [];
  for (let ordinal = scale.replicas; ordinal < present; ordinal += 1) {
    const pod = world.pods.find((candidate) => candidate.name === podNameAt(name, ordinal));
    if (pod?.report?.drain === undefined || pod.report.spool.queuedMessages > 0) continue;
    const note = `Draining: ${pod.name} leaves with an empty spool, ${pod.report.drain.handedOver} messages handed over`;
    events.push({ regarding, type: "Normal", reason: "HandedOver", note });
  }
  for (const claim of removed) {
    const note = `Draining: volume ${claim} is removed: its spool is proven empty`;
    events.push({ regarding, type: "Normal", reason: "SpoolRemoved", note });
  }
  return events;
}
