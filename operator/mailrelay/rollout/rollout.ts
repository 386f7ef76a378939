/**
 * Whether the pods of a relay are to be replaced, and at whose instance. What its owner changes takes effect at once; what another
 * operator changes waits for its turn (see work/turns.ts), and the pods stay as they are until then. Pure.
 */
import { generationAnnotation, rolloutAnnotation } from "../../../api/labels.ts";
import type { StatefulSet } from "../../kube/objects.ts";
import { renderPodTemplate, templateDigest } from "../objects/podtemplate.ts";
import { renderStatefulSet } from "../objects/statefulset.ts";
import type { RelayWorld } from "../world.ts";
import type { PodFact } from "../../pods/facts.ts";
import type { Begun } from "../../work/turns.ts";

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

/**
 * At whose instance the template of a StatefulSet was written, as its annotation says. `release`: by another operator, of a relay that
 * was whole; of these alone it says something of the release that no pod becomes ready. `illness`: by another operator, of one that
 * had a pod that was not ready already.
 */
type Instance = "owner" | "release" | "illness" | "outage";

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
    if (hasOwnerChanged(relay, statefulSet) || pods.length === 0) return { kind: "due", by: "owner" };
    return { kind: "due", by: isOut(world) ? "outage" : "operator" };
  }
  const replaced = pods.filter((pod) => pod.template === wanted && pod.ready).length;
  if (pods.some((pod) => pod.template !== wanted)) return { kind: "underWay", replaced };
  return replaced < statefulSet.spec.replicas ? { kind: "starting", replaced } : { kind: "done" };
}

/** Also where a look has seen the change and could not write it: status says that it was seen, and the StatefulSet what it is made from. */
function hasOwnerChanged({ metadata, status }: RelayWorld["relay"], statefulSet: StatefulSet): boolean {
  const made = statefulSet.metadata.annotations?.[generationAnnotation];
  if (made !== undefined && made !== String(metadata.generation)) return true;
  return metadata.generation !== status?.observedGeneration;
}

function isOut({ now, relay, pods }: Facts): boolean {
  const available = relay.status?.conditions?.find(({ type }) => type === "Available");
  if (available?.status !== "False" || pods.some(({ ready }) => ready)) return false;
  return now - Date.parse(available.lastTransitionTime) >= outageMs;
}

/**
 * What a relay's pods are at, as far as the objects alone tell; undefined of one that replaces none. A StatefulSet with a template of
 * an operator before may be in the middle of it, too. One that does not say at whose instance counts as one of a release.
 */
export function begunOf(facts: Facts): Begun | undefined {
  const { statefulSet } = facts;
  const replaced = replacedOf(facts);
  if (replaced === undefined || statefulSet === undefined) return undefined;
  const instance = statefulSet.metadata.annotations?.[rolloutAnnotation] ?? "release";
  return { replaced, isTelling: instance === "release" };
}

function replacedOf(facts: Facts): number | undefined {
  const { statefulSet, pods } = facts;
  const rollout = judgeRollout(facts);
  if (rollout.kind === "done" || statefulSet === undefined) return undefined;
  if (rollout.kind === "starting") return hasEnded(statefulSet) ? undefined : rollout.replaced;
  if (rollout.kind === "underWay") return rollout.replaced;
  const present = templateDigest(statefulSet.spec.template);
  if (pods.every(({ template }) => template === present)) return undefined;
  return pods.filter(({ template, ready }) => template === present && ready).length;
}

/** All pods of this template were ready once, as its controller says: one that is not has become ill since. */
function hasEnded({ metadata, status }: StatefulSet): boolean {
  const { observedGeneration, currentRevision, updateRevision } = status ?? {};
  return (
    observedGeneration === metadata.generation && currentRevision !== undefined && currentRevision === updateRevision
  );
}

/** Digest of the template that pods should be made from. */
export function wantedTemplate({
  relay,
  installation,
}: Pick<RelayWorld, "relay" | "installation">): string | undefined {
  return templateDigest(renderPodTemplate(relay, installation.image, installation.pods));
}

/** Whether a relay has all of its pods, each of them ready. */
export function isWhole({ pods, statefulSet }: Pick<Facts, "pods" | "statefulSet">): boolean {
  return pods.length === statefulSet?.spec.replicas && pods.every(({ ready }) => ready);
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
    instance: instanceOf(world, rollout),
  });
  if (statefulSet === undefined || !waitsForTurn(world, rollout)) return [set];
  if (statefulSet.spec.replicas === replicas) return [];
  return [{ ...set, spec: { ...set.spec, template: statefulSet.spec.template } }];
}

function instanceOf(world: RelayWorld, rollout: Rollout): string | undefined {
  if (world.statefulSet === undefined) return "owner" satisfies Instance;
  if (rollout.kind !== "due" || waitsForTurn(world, rollout)) {
    return world.statefulSet.metadata.annotations?.[rolloutAnnotation];
  }
  if (rollout.by !== "operator") return rollout.by satisfies Instance;
  return (isWhole(world) ? "release" : "illness") satisfies Instance;
}
