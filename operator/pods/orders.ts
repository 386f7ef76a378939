/**
 * Which pods are told to leave, and which that they stay after all. The report of a pod is the truth: an order that it does
 * not show is given again; what this operator remembers only saves it from repeating what a pod has. Pure.
 */
import type { DrainOrder, Peer } from "../../api/administration.ts";
import { textDigest } from "../kube/shard.ts";
import { headlessServiceName, ordinalOf } from "../owned/names.ts";
import type { PodFact, RelayPods } from "./facts.ts";

export interface PodOrder {
  readonly pod: PodFact;
  /** Undefined: the pod stays after all. */
  readonly order: DrainOrder | undefined;
}

export interface OrderQuestion {
  readonly world: RelayPods;
  /** Pods there will be after this plan: the others go now, with what they have. */
  readonly replicas: number;
  /** Names of pods that will go. */
  readonly leaving: ReadonlySet<string>;
  /** Hibernation keeps every volume: the same pods come back to their mail. */
  readonly isHibernating: boolean;
}

/** An order names no more; a pod gives its mail away to any of them. */
const maxPeers = 1000;

/** In order of their pods. */
export function decideOrders(question: OrderQuestion): readonly PodOrder[] {
  const { world, replicas, leaving, isHibernating } = question;
  if (isHibernating) return [];
  const order: DrainOrder = { version: 1, peers: [...peersOf(world, leaving)] };
  const digest = orderDigest(order);
  return world.pods.flatMap((pod): readonly PodOrder[] => {
    const { administration, report } = pod;
    if (administration === undefined || report === undefined) return [];
    if (!leaving.has(pod.name)) return report.drain === undefined ? [] : [{ pod, order: undefined }];
    const isGoing = (ordinalOf(world.relay.metadata.name, pod.name) ?? 0) >= replicas;
    // One that stops takes nothing in any more, whatever it was told.
    const isStopping = report.draining && report.drain === undefined;
    if (isStopping) return [];
    // Started again after it had proven its spool empty, it would take mail into a volume that goes: it is told like any other.
    if (report.drain !== undefined && (isGoing || pod.ordered === digest)) return [];
    return [{ pod, order }];
  });
}

/**
 * Pods that take mail from those that leave: they stay, serve, and are not leaving by an order of before. A report that is
 * missing for once must not change the list: each change is another order.
 */
export function peersOf({ pods, installation, relay }: RelayPods, leaving: ReadonlySet<string>): readonly Peer[] {
  const { name, namespace } = relay.metadata;
  return pods.slice(0, maxPeers).flatMap((pod) => {
    const { administration, report } = pod;
    const stays = pod.ready && !pod.isGoing && pod.serving && !leaving.has(pod.name);
    if (!stays || administration === undefined || report?.draining === true || report?.drain !== undefined) return [];
    // A name in DNS outlives the address of a pod.
    const host = installation.podHost ?? `${pod.name}.${headlessServiceName(name)}.${namespace}.svc`;
    return [{ name: pod.name, host, port: administration.port }];
  });
}

export function orderDigest(order: DrainOrder): string {
  return textDigest(JSON.stringify(order));
}
