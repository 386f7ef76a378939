/** Reconciles a MailRelay whose stored spec cannot be read: gather what needs no spec, plan, carry out. */
import { keyOf, nameOf, type Reference } from "../../kube/kube.ts";
import type { Misfit } from "../../kube/objects.ts";
import { carryOut } from "../../work/carryout.ts";
import { gatherClaims, gatherPods, type RelaySources } from "../gather.ts";
import { type MisfitWorld, planMisfit } from "./plan.ts";

/** Resolves to the milliseconds after which to look again. */
export async function reconcileMisfit(sources: RelaySources, relay: Misfit<"MailRelay">): Promise<number | undefined> {
  const { kube, memory, now } = sources;
  const { namespace, name, generation } = relay.metadata;
  const reference: Reference = { kind: "MailRelay", namespace, name };
  const key = nameOf(relay.metadata);
  memory.rests(key, undefined);
  // Its pods stay as they are until its spec can be read.
  memory.turns.giveBack(key);
  const world: MisfitWorld = {
    now: now(),
    relay,
    statefulSet: await kube.get("StatefulSet", namespace, name),
    pods: await gatherPods(sources, relay),
    claims: await gatherClaims(sources, relay),
    figures: memory.figures(key),
    rejections: memory.rejections.of(keyOf(reference)),
  };
  const plan = planMisfit(world);
  memory.told(key, plan.figures);
  const { againInMs } = await carryOut(sources, {
    subject: { ...reference, generation },
    plan,
    again: (rejections) => Promise.resolve(planMisfit({ ...world, rejections })),
  });
  return againInMs;
}
