/**
 * What is done for a MailRelay in a namespace of which the operator may not read all that it needs, for example because its Role
 * is missing there: nothing, because what is not seen would be taken for what is not there. Status says what is missing, and
 * otherwise stays as it was. A relay that is deleted goes all the same, with what is known of it. Pure.
 */
import { type Condition, setCondition } from "../../../api/condition.ts";
import { finding } from "../assess.ts";
import { type RelayPlan, relayTelling, settledMs } from "../plan.ts";
import { summarizeRelay } from "../programmed.ts";
import { saidFigures } from "../../pods/figures.ts";
import type { RelayWorld } from "../world.ts";

/** Whether so little is seen that nothing may be done. */
export function isHidden({ sight, relay }: RelayWorld): boolean {
  return sight.kind === "part" && relay.metadata.deletionTimestamp === undefined;
}

export function planHidden(world: RelayWorld): RelayPlan {
  const { relay, now, pods, sight, installation } = world;
  const { namespace, generation: observedGeneration = 0 } = relay.metadata;
  const hidden = sight.kind === "part" ? [...sight.hidden].sort().join(", ") : "";
  const message =
    `metadata.namespace: the operator (account ${installation.namespace}:${installation.serviceAccount}) may not read ${hidden} in namespace ` +
    `${namespace}, and what runs there stays as it is: give it the Role of the chart there (helm upgrade makes it anew)`;
  const findings = [finding("Accepted", "False", "NamespaceNotSeen", message)];
  const conditions = [...findings, ...summarizeRelay(findings, { unsent: undefined, hasPods: pods.length > 0 })].reduce<
    readonly Condition[]
  >((list, entry) => setCondition(list, { ...entry, observedGeneration }, now), relay.status?.conditions ?? []);
  const status = { ...relay.status, observedGeneration, conditions: [...conditions] };
  return {
    actions: relayTelling(relay, status),
    recommendations: world.recommendations,
    figures: world.figures ?? saidFigures(relay.status, now),
    areFiguresCurrent: true,
    requeueAfterMs: settledMs,
    rollout: undefined,
  };
}
