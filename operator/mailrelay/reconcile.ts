/**
 * Reconciles one MailRelay: gather, plan, carry out in a fixed order. Level-based: the key says what to look at, never
 * what happened. Throws only for the unexpected; the loop tries again.
 */
import { drainFinalizer, revisionAnnotation } from "../../api/labels.ts";
import type { MailRelay } from "../../api/mailrelay.ts";
import { ForbiddenError, type Kube, nameOf, RejectedError } from "../kube/kube.ts";
import type { AppliedObject, Stored } from "../kube/objects.ts";
import { gatherPods, gatherRelay, type RelaySources } from "./gather.ts";
import { reconcileMisfit } from "./misfit/reconcile.ts";
import { issueOwn } from "./own/issuing.ts";
import { issuePeer } from "./peer/issuing.ts";
import { planRelay, type RelayPlan, settledMs } from "./plan.ts";
import { orderDigest, type PodOrder } from "./scale/orders.ts";
import { isDue, isUndisturbed, restOf } from "./scale/rest.ts";

/** Resolves to the milliseconds after which to look again; undefined when the relay is gone. */
export async function reconcileRelay(
  sources: RelaySources,
  key: { readonly namespace: string; readonly name: string },
): Promise<number | undefined> {
  const { kube, memory } = sources;
  const relay = await kube.get("MailRelay", key.namespace, key.name);
  if (relay === undefined) {
    const misfit = await kube.misfit("MailRelay", key.namespace, key.name);
    if (misfit !== undefined) return reconcileMisfit(sources, misfit);
    memory.forget(nameOf(key));
    return undefined;
  }
  memory.rests(nameOf(key), undefined);
  const world = await gatherRelay(sources, relay);
  const plan = planRelay(world);
  memory.recommended(nameOf(key), plan.recommendations);
  const isNews = await carryOut(sources, relay, plan);
  await kube.applyStatus("MailRelay", relay, plan.status);
  for (const event of plan.events) await kube.emit(event);
  // Last of all: without it the relay is gone.
  if (plan.finalizer === "takeOff") {
    await kube.setFinalizer({ kind: "MailRelay", ...key }, drainFinalizer, false);
  }
  if (isNews) return 0;
  if (plan.requeueAfterMs >= settledMs) memory.rests(nameOf(key), restOf(world, plan.status));
  return plan.requeueAfterMs;
}

/**
 * A look for which nothing has called but time: reads what the pods report and no more. Resolves to the milliseconds after
 * which to look again; undefined when a whole look is due.
 */
export async function glanceAtRelay(
  sources: RelaySources,
  key: { readonly namespace: string; readonly name: string },
): Promise<number | undefined> {
  const { kube, memory, now } = sources;
  const rest = memory.rest(nameOf(key));
  if (rest === undefined || isDue(rest, now())) return undefined;
  const relay = await kube.get("MailRelay", key.namespace, key.name);
  if (relay === undefined || !isUndisturbed(rest, await gatherPods(sources, relay))) return undefined;
  return settledMs;
}

/** Resolves to true when the API server would not take something and status has yet to say so. */
async function carryOut(sources: RelaySources, relay: Stored<MailRelay>, plan: RelayPlan): Promise<boolean> {
  const { kube, memory } = sources;
  const { namespace, name } = relay.metadata;
  if (plan.finalizer === "put") await kube.setFinalizer({ kind: "MailRelay", namespace, name }, drainFinalizer, true);
  if (plan.issueFor !== undefined) await issueOwn(sources, relay, plan.issueFor);
  if (plan.issuesPeer) await issuePeer(sources, relay);
  for (const removal of plan.removals) {
    await kube.mergeSecret(removal.secret, Object.fromEntries(removal.keys.map((dataKey) => [dataKey, undefined])));
  }
  for (const { reference, change } of plan.marks) await kube.mark(reference, change);
  let isNews = memory.rejected(nameOf(relay.metadata), await applyAll(kube, plan.apply));
  for (const claim of plan.grow) isNews = (await grow(sources, namespace, claim)) || isNews;
  for (const { pod, value } of plan.nudges) {
    await kube.mark({ kind: "Pod", namespace, name: pod.name }, { annotations: { [revisionAnnotation]: value } });
    memory.annotated(pod.uid, sources.now());
  }
  await giveOrders(sources, relay, plan.orders);
  for (const reference of plan.remove) await kube.remove(reference);
  return isNews;
}

/** All at once: a pod that does not answer must not hold up the others. */
async function giveOrders(
  { keepAuthority, giveOrder, memory, now }: RelaySources,
  { metadata }: Stored<MailRelay>,
  orders: readonly PodOrder[],
): Promise<void> {
  if (orders.length === 0) return;
  const authority = await keepAuthority();
  await Promise.all(
    orders.map(async ({ pod: { uid, administration }, order }) => {
      if (administration === undefined) return;
      const failure = await giveOrder({ address: administration, relay: metadata, order, authority });
      if (failure !== undefined) memory.orderFailed(uid, failure, now());
      else memory.ordered(uid, order === undefined ? undefined : orderDigest(order), now());
    }),
  );
}

/** What the API server would not take is told in status; the rest must not wait for it. */
async function applyAll(kube: Kube, objects: readonly AppliedObject[]): Promise<readonly string[]> {
  const rejections: string[] = [];
  for (const object of objects) {
    try {
      await kube.apply(object);
    } catch (error) {
      rejections.push(rejectionOf(object, error));
    }
  }
  return rejections;
}

/** For status. Secrets that may not be written are told with the reads. Throws what nobody who made the relay can mend. */
function rejectionOf({ kind, metadata }: AppliedObject, error: unknown): string {
  const what = `Kubernetes refuses ${kind} ${metadata.name}`;
  if (error instanceof RejectedError) {
    return `${kind === "Service" ? "spec.service" : "spec.pod"}: ${what}: ${error.message}`;
  }
  if (!(error instanceof ForbiddenError) || kind === "Secret") throw error;
  return `${what}, a right of the operator's is missing: ${error.message}`;
}

/** A storage class that does not allow it is a fact for status, and must not hold up the rest. */
async function grow(
  { kube, memory, now }: RelaySources,
  namespace: string,
  claim: { readonly name: string; readonly size: string },
): Promise<boolean> {
  const key = nameOf({ namespace, name: claim.name });
  try {
    await kube.growClaim(namespace, claim.name, claim.size);
    memory.granted(key);
    return false;
  } catch (error) {
    if (!(error instanceof RejectedError)) throw error;
    return memory.refused(key, error.message, now());
  }
}
