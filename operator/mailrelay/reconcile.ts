/**
 * Reconciles one MailRelay: gather, plan, carry out in a fixed order. Level-based: the key says what to look at, never
 * what happened. Throws only for the unexpected; the loop tries again.
 */
import { drainFinalizer, revisionAnnotation } from "../../api/labels.ts";
import type { MailRelay } from "../../api/mailrelay.ts";
import { keyOf, nameOf, type Reference, RejectedError } from "../kube/kube.ts";
import type { AppliedObject, Stored } from "../kube/objects.ts";
import { gatherClaims, gatherPods, gatherRelay, gatherRollouts, type RelaySources } from "./gather.ts";
import { certificateSecretName, peerSecretName } from "./objects/names.ts";
import { reconcileMisfit } from "./misfit/reconcile.ts";
import { issueOwn } from "./own/issuing.ts";
import { issuePeer } from "./peer/issuing.ts";
import { planRelay, type RelayPlan, settledMs } from "./plan.ts";
import { type RefusedWrite, rejectionOf } from "./rights.ts";
import { orderDigest, type PodOrder } from "./scale/orders.ts";
import { isDue, isUndisturbed, restOf } from "./scale/rest.ts";
import { isHidden, planHidden } from "./unseen/plan.ts";
import { isServedAt, type Rejection, type RelayWorld } from "./world.ts";

/** Resolves to the milliseconds after which to look again; undefined when the relay is gone. */
export async function reconcileRelay(
  sources: RelaySources,
  key: { readonly namespace: string; readonly name: string },
): Promise<number | undefined> {
  const { kube, memory } = sources;
  const relay = await kube.get("MailRelay", key.namespace, key.name);
  if (relay === undefined) {
    const misfit = await kube.misfit("MailRelay", key.namespace, key.name);
    if (misfit !== undefined) {
      if (isServedAt(sources.place, misfit)) return reconcileMisfit(sources, misfit);
      leaveAlone(sources, key);
      return undefined;
    }
    memory.forget(nameOf(key));
    sources.credentials.forget(keyOf({ kind: "MailRelay", ...key }));
    return undefined;
  }
  if (!isServedAt(sources.place, relay.spec)) {
    leaveAlone(sources, key);
    return undefined;
  }
  memory.rests(nameOf(key), undefined);
  const world = await gatherRelay(sources, relay);
  const plan = await inTurn(sources, world, isHidden(world) ? planHidden(world) : planRelay(world));
  memory.recommended(nameOf(key), plan.recommendations);
  memory.told(nameOf(key), plan.figures);
  const isNews = await carryOut(sources, relay, plan);
  const told = isNews ? planRelay(await withRefusals(sources, world)) : plan;
  await kube.applyStatus("MailRelay", relay, told.status);
  for (const event of told.events) await kube.emit(event);
  // Last of all: without it the relay is gone.
  if (plan.finalizer === "takeOff") {
    await kube.setFinalizer({ kind: "MailRelay", ...key }, drainFinalizer, false);
  }
  if (!isNews && plan.requeueAfterMs >= settledMs && plan.areFiguresCurrent && !isWaiting(plan)) {
    memory.rests(nameOf(key), restOf(world, plan.status));
  }
  return Math.max(told.requeueAfterMs, memory.rejections.pauseMs(keyOf({ kind: "MailRelay", ...key })));
}

/** The plan with a turn to replace the pods, where one is needed and to be had; turns that are over are given back. */
async function inTurn(sources: RelaySources, world: RelayWorld, plan: RelayPlan): Promise<RelayPlan> {
  const { turns } = sources.memory;
  const { rollout } = plan;
  const name = nameOf(world.relay.metadata);
  const isHolder = turns.has(name);
  if (rollout?.kind === "done") turns.giveBack(name);
  if (rollout?.kind === "underWay" || (rollout?.kind === "starting" && isHolder)) {
    turns.replaces(name, rollout.replaced, world.now);
  }
  if (!isWaiting(plan) || isHolder) return plan;
  const hasTurn = await turns.ask(name, world.now, () => gatherRollouts(sources));
  return hasTurn ? planRelay({ ...world, hasTurn }) : plan;
}

function isWaiting({ rollout }: RelayPlan): boolean {
  return rollout?.kind === "due" && rollout.by === "operator";
}

/** Of another operator's relay nothing is kept in mind either: it may have been ours until now. */
function leaveAlone(
  { memory, credentials }: RelaySources,
  key: { readonly namespace: string; readonly name: string },
): void {
  memory.forget(nameOf(key));
  credentials.forget(keyOf({ kind: "MailRelay", ...key }));
}

/**
 * The world with what the API server has just refused, or takes again: status says it now, and no further look has to come
 * for it, which would meet another refusal and so on without end.
 */
async function withRefusals(sources: RelaySources, world: RelayWorld): Promise<RelayWorld> {
  const { relay } = world;
  const { namespace, name } = relay.metadata;
  const rejections = sources.memory.rejections.of(keyOf({ kind: "MailRelay", namespace, name }));
  return { ...world, rejections, claims: await gatherClaims(sources, relay) };
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

/** Resolves to true when the API server would not take something, or takes it again, and the plan did not know of it. */
async function carryOut(sources: RelaySources, relay: Stored<MailRelay>, plan: RelayPlan): Promise<boolean> {
  const { kube, memory } = sources;
  const { namespace, name, generation } = relay.metadata;
  const self: Reference = { kind: "MailRelay", namespace, name };
  const meet = (rejections: readonly Rejection[]): boolean =>
    memory.rejections.met(keyOf(self), rejections, { generation, now: sources.now() });
  const writes = new Writes();
  if (plan.finalizer === "put") await writes.attempt(self, () => kube.setFinalizer(self, drainFinalizer, true));
  // Without it a relay that is deleted would take its mail along: nothing is made before it is there.
  if (!writes.areTaken) return meet(writes.rejections);
  // Before anything is applied to them: Kubernetes takes no second owner that controls.
  for (const secret of plan.adopt) await writes.attempt(referenceTo(secret), () => kube.adoptSecret(secret));
  const { issueFor } = plan;
  if (issueFor !== undefined) {
    const own = { kind: "Secret", name: certificateSecretName(name) } as const;
    await writes.attempt(own, () => issueOwn(sources, relay, issueFor));
  }
  if (plan.issuesPeer) {
    const peer = { kind: "Secret", name: peerSecretName(name) } as const;
    await writes.attempt(peer, () => issuePeer(sources, relay));
  }
  for (const { secret, keys } of plan.removals) {
    const changes = Object.fromEntries(keys.map((dataKey) => [dataKey, undefined]));
    await writes.attempt(referenceTo(secret), () => kube.mergeSecret(secret, changes));
  }
  for (const { reference, change } of plan.marks) {
    // An old proof of emptiness that stays on a volume must not meet a pod that fills it.
    const isMarked = await writes.attempt(reference, () => kube.mark(reference, change));
    if (!isMarked) return meet(writes.rejections);
  }
  for (const object of plan.apply) await writes.attempt(referenceTo(object), () => kube.apply(object));
  let isNews = false;
  for (const claim of plan.grow) isNews = (await grow(sources, namespace, claim)) || isNews;
  for (const { pod, value } of plan.nudges) {
    const reference: Reference = { kind: "Pod", namespace, name: pod.name };
    await writes.attempt(reference, () => kube.mark(reference, { annotations: { [revisionAnnotation]: value } }));
    memory.annotated(pod.uid, sources.now());
  }
  const orders = { kind: "Secret", name: peerSecretName(name) } as const;
  await writes.attempt(orders, () => giveOrders(sources, relay, plan.orders));
  for (const reference of plan.remove) await writes.attempt(reference, () => kube.remove(reference));
  return meet(writes.rejections) || isNews;
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
class Writes {
  readonly rejections: Rejection[] = [];

  get areTaken(): boolean {
    return this.rejections.length === 0;
  }

  /** Resolves to false when it was refused; throws what nobody who made the resource can mend. */
  async attempt(refused: RefusedWrite, write: () => Promise<void>): Promise<boolean> {
    try {
      await write();
      return true;
    } catch (error) {
      this.rejections.push(rejectionOf(refused, error));
      return false;
    }
  }
}

function referenceTo({ kind, metadata: { namespace, name } }: AppliedObject): Reference {
  return { kind, namespace, name };
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
