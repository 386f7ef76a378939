/**
 * Whether the pods of a relay are to be replaced, and at whose instance. What its owner changes takes effect at once; what another
 * operator changes waits for its turn (see work/turns.ts), and the pods stay as they are until then. Pure.
 */
import type { StatefulSet } from "../../kube/objects.ts";
import { renderPodTemplate, templateDigest } from "../objects/podtemplate.ts";
import { renderStatefulSet } from "../objects/statefulset.ts";
import type { RelayWorld } from "../world.ts";
import type { PodFact } from "../../pods/facts.ts";

export type Rollout =
  /** Every pod is made from the template as it should be. */
  | { readonly kind: "done" }
  /** Pods are being replaced; so many are. */
  | { readonly kind: "underWay"; readonly replaced: number }
  /** All are, and some are not ready; so many are. */
  | { readonly kind: "starting"; readonly replaced: number }
  /**
   * The StatefulSet has another template than it should. `outage`: by the operator, and none of the pods has taken mail for long: there
   * is nothing that a release could stop, and whoever mends the relay is not to wait for others that do not start either.
   */
  | { readonly kind: "due"; readonly by: "owner" | "operator" | "outage" };

/** A relay without a ready pod for so long is not about to have one. */
const outageMs = 600_000;

type Facts = Pick<RelayWorld, "now" | "relay" | "installation" | "statefulSet"> & {
  readonly pods: readonly Pick<PodFact, "template" | "ready">[];
};

export function judgeRollout(world: Facts): Rollout {
  const { relay, statefulSet, pods } = world;
  if (statefulSet === undefined) return { kind: "done" };
  const wanted = wantedTemplate(world);
  if (templateDigest(statefulSet.spec.template) !== wanted) {
    const isSeen = relay.metadata.generation === relay.status?.observedGeneration;
    return { kind: "due", by: !isSeen || pods.length === 0 ? "owner" : isOut(world) ? "outage" : "operator" };
  }
  const replaced = pods.filter((pod) => pod.template === wanted && pod.ready).length;
  if (pods.some((pod) => pod.template !== wanted)) return { kind: "underWay", replaced };
  return replaced < statefulSet.spec.replicas ? { kind: "starting", replaced } : { kind: "done" };
}

function isOut({ now, relay, pods }: Facts): boolean {
  const available = relay.status?.conditions?.find(({ type }) => type === "Available");
  if (available?.status !== "False" || pods.some(({ ready }) => ready)) return false;
  return now - Date.parse(available.lastTransitionTime) >= outageMs;
}

/**
 * How many pods of a relay are replaced, as far as the objects alone tell; undefined of one that replaces none. A StatefulSet with a
 * template of an operator before may be in the middle of it, too.
 */
export function replacedOf(facts: Facts): number | undefined {
  const rollout = judgeRollout(facts);
  if ("replaced" in rollout) return rollout.replaced;
  if (rollout.kind === "done" || facts.statefulSet === undefined) return undefined;
  const present = templateDigest(facts.statefulSet.spec.template);
  if (facts.pods.every(({ template }) => template === present)) return undefined;
  return facts.pods.filter(({ template, ready }) => template === present && ready).length;
}

/** Digest of the template that pods should be made from. */
export function wantedTemplate({
  relay,
  installation,
}: Pick<RelayWorld, "relay" | "installation">): string | undefined {
  return templateDigest(renderPodTemplate(relay, installation.image, installation.pods));
}

/** Whether the pods stay as they are for now. */
export function waitsForTurn({ hasTurn }: Pick<RelayWorld, "hasTurn">, rollout: Rollout): boolean {
  return rollout.kind === "due" && rollout.by === "operator" && !hasTurn;
}

/** While its pods wait for their turn, a StatefulSet is written for another number of them alone, with the template that it has. */
export function setToApply(world: RelayWorld, replicas: number, rollout: Rollout): readonly StatefulSet[] {
  const { relay, installation, statefulSet } = world;
  const set = renderStatefulSet({
    relay,
    image: installation.image,
    pods: installation.pods,
    replicas,
    present: statefulSet,
  });
  if (statefulSet === undefined || !waitsForTurn(world, rollout)) return [set];
  if (statefulSet.spec.replicas === replicas) return [];
  return [{ ...set, spec: { ...set.spec, template: statefulSet.spec.template } }];
}
