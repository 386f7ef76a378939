/**
 * Reconciles one MailRelay: gather, plan, carry out. Level-based: the key says what to look at, never what happened. Throws only for
 * the unexpected; the loop tries again.
 */
import { keyOf, nameOf } from "../kube/kube.ts";
import { glancePauseMs, isDue, isUndisturbed, restOf } from "../pods/rest.ts";
import { actionsOf } from "../work/actions.ts";
import { carryOut } from "../work/carryout.ts";
import type { Begun } from "../work/turns.ts";
import { isServedAt } from "../installation/installation.ts";
import { gatherClaims, gatherPods, gatherRelay, gatherRollouts, type RelaySources } from "./gather.ts";
import { reconcileMisfit } from "./misfit/reconcile.ts";
import { planRelay, type RelayPlan, settledMs } from "./plan.ts";
import { isWhole } from "./rollout/rollout.ts";
import { isHidden, planHidden } from "./unseen/plan.ts";
import type { RelayWorld } from "./world.ts";

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
      if (isServedAt(sources.installation, misfit)) return reconcileMisfit(sources, misfit);
      leaveAlone(sources, key);
      return undefined;
    }
    memory.forget(nameOf(key));
    sources.credentials.forget(keyOf({ kind: "MailRelay", ...key }));
    return undefined;
  }
  if (!isServedAt(sources.installation, relay.spec)) {
    leaveAlone(sources, key);
    return undefined;
  }
  memory.rests(nameOf(key), undefined);
  const world = await gatherRelay(sources, relay);
  const planOf = isHidden(world) ? planHidden : planRelay;
  const { plan, hasTurn } = await inTurn(sources, world, planOf(world));
  memory.recommended(nameOf(key), plan.recommendations);
  memory.told(nameOf(key), plan.figures);
  const { isNews, isUnderWay, againInMs } = await carryOut(sources, {
    subject: { kind: "MailRelay", ...key, generation: relay.metadata.generation },
    plan,
    // What was refused may concern volumes, and is remembered of them.
    again: async (rejections) => planOf({ ...world, hasTurn, rejections, claims: await gatherClaims(sources, relay) }),
  });
  if (!isNews && !isUnderWay && plan.requeueAfterMs >= settledMs && plan.areFiguresCurrent && !isWaiting(plan)) {
    memory.rests(nameOf(key), restOf(world, actionsOf("status", plan.actions)[0]?.status));
  }
  return againInMs;
}

/** The plan with a turn to replace the pods, where one is needed and to be had; turns that are over are given back. */
async function inTurn(
  sources: RelaySources,
  world: RelayWorld,
  plan: RelayPlan,
): Promise<{ readonly plan: RelayPlan; readonly hasTurn: boolean }> {
  const { turns } = sources.memory;
  const { rollout } = plan;
  const name = nameOf(world.relay.metadata);
  const isHolder = turns.has(name);
  // One that is paused or deleted is not at it either: whoever pauses it lets another begin.
  if (rollout === undefined || rollout.kind === "done") turns.giveBack(name);
  else if (rollout.kind === "due" && rollout.by === "outage") turns.passOver(name);
  else if (rollout.kind === "underWay" || (rollout.kind === "starting" && isHolder)) {
    turns.replaces(name, rollout.replaced, world.now);
  }
  if (!isWaiting(plan) || isHolder) return { plan, hasTurn: world.hasTurn };
  const present = (): Promise<ReadonlyMap<string, Begun>> => gatherRollouts(sources);
  const hasTurn = await turns.ask(name, { now: world.now, isWhole: isWhole(world), present });
  return { plan: hasTurn ? planRelay({ ...world, hasTurn }) : plan, hasTurn };
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
  return glancePauseMs(memory.resting, settledMs);
}
