/** Reconciles a MailRelay whose stored spec cannot be read: gather what needs no spec, plan, carry out. */
import { drainFinalizer } from "../../../api/labels.ts";
import { keyOf, nameOf, RejectedError } from "../../kube/kube.ts";
import type { Misfit } from "../../kube/objects.ts";
import { gatherClaims, gatherPods, type RelaySources } from "../gather.ts";
import { planMisfit } from "./plan.ts";

/** What the API server refuses to write it refuses until a person has changed the resource, which is heard of. */
const refusedMs = 60_000;

/** Resolves to the milliseconds after which to look again. */
export async function reconcileMisfit(sources: RelaySources, relay: Misfit<"MailRelay">): Promise<number> {
  const { kube, memory, now } = sources;
  const { namespace, name } = relay.metadata;
  const key = nameOf(relay.metadata);
  memory.rests(key, undefined);
  const plan = planMisfit({
    now: now(),
    relay,
    statefulSet: await kube.get("StatefulSet", namespace, name),
    pods: await gatherPods(sources, relay),
    claims: await gatherClaims(sources, relay),
    figures: memory.figures(key),
  });
  memory.told(key, plan.figures);
  const reference = { kind: "MailRelay", namespace, name } as const;
  const refusals: string[] = [];
  const write = async (send: () => Promise<void>): Promise<void> => {
    try {
      await send();
    } catch (error) {
      // Kubernetes lets faults be that were there before, but neither a list that is none nor a missing spec.
      if (!(error instanceof RejectedError)) throw error;
      refusals.push(error.message);
    }
  };
  if (plan.finalizer === "put") await write(() => kube.setFinalizer(reference, drainFinalizer, true));
  for (const { reference: marked, change } of plan.marks) await kube.mark(marked, change);
  await write(() => kube.applyStatus("MailRelay", relay, plan.status));
  if (plan.finalizer === "takeOff") await write(() => kube.setFinalizer(reference, drainFinalizer, false));
  const rejections = refusals.map((message) => ({ field: "spec", message }));
  const { generation } = relay.metadata;
  const isNews = memory.rejections.met(keyOf(reference), rejections, { generation, now: now() });
  // While status cannot be written, it would make the same event at each look.
  if (refusals.length === 0 || isNews) for (const event of plan.events) await kube.emit(event);
  const [refused] = refusals;
  if (refused === undefined) return plan.requeueAfterMs;
  if (isNews) {
    const note = `Kubernetes takes no write of this MailRelay until its spec is corrected: ${relay.faults.join("; ")}: ${refused}`;
    await kube.emit({ regarding: reference, type: "Warning", reason: "Invalid", note });
  }
  return refusedMs;
}
