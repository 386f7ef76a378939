/** Why pods of a relay do not take mail, as far as that is known, with what a person can do about it. Pure. */
import { claimNameAt, ordinalOf } from "../owned/names.ts";
import type { PodFact, RelayPods } from "./facts.ts";

/** Of pods that are many the first few tell enough. */
const toldPods = 3;

export function whyUnready(world: RelayPods): string {
  const unready = world.pods.filter((pod) => !pod.ready);
  if (unready.length > 0) {
    const told = unready.slice(0, toldPods).map((pod) => podText(world, pod));
    const more = unready.length - told.length;
    return [...told, ...(more > 0 ? [`${more} more`] : [])].join("; ");
  }
  const { name, namespace } = world.relay.metadata;
  if (world.statefulSet === undefined) return "pods are made once there are a certificate and a configuration for them";
  return `they are about to be made; if they are not, see kubectl describe statefulset ${name} --namespace ${namespace}`;
}

function podText(world: RelayPods, pod: PodFact): string {
  const { name, hindrance } = pod;
  const { namespace } = world.relay.metadata;
  switch (hindrance?.kind) {
    case undefined:
      return `${name} is being started`;
    case "image":
      return `${name} cannot get its image ${hindrance.detail}: see spec.pod.image and spec.pod.imagePullSecrets`;
    case "ended":
      return `${name} ended (${hindrance.detail}) and is started again: see kubectl logs --previous ${name} --namespace ${namespace}`;
    case "waiting":
      return `${name} waits: ${hindrance.detail}`;
    case "unscheduled":
      return `${name} has no node: ${hindrance.detail}${claimText(world, name)}`;
  }
}

/** A volume that nobody provides keeps its pod from every node. */
function claimText({ relay, claims }: RelayPods, podName: string): string {
  const ordinal = ordinalOf(relay.metadata.name, podName);
  const claim = claims.find((one) => one.ordinal === ordinal);
  if (ordinal === undefined || claim === undefined || claim.isBound) return "";
  const storageClass = claim.storageClassName === undefined ? "" : ` of storage class ${claim.storageClassName}`;
  const name = claimNameAt(relay.metadata.name, ordinal);
  return `; its volume ${name}${storageClass} is not provided: see spec.spool.storage.storageClassName`;
}
