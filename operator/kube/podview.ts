/** What is kept of a pod: what its relay's reconcile asks for, its containers' ports, and why it does not run. Pure. */
import { isRecord, type RawObject } from "./client/resource.ts";
import type { ContainerPort, PodHindrance } from "./objects.ts";

type Fields = Readonly<Record<string, unknown>>;

export function podView(raw: RawObject): RawObject {
  const { apiVersion, kind, metadata } = raw;
  const status = record(raw["status"]);
  const conditions = records(status["conditions"]);
  const containers = records(record(raw["spec"])["containers"]);
  const readiness = conditions.find((one) => one["type"] === "Ready");
  const ready = readiness?.["status"] === "True";
  const unreadySince = ready ? undefined : unreadySinceOf(status, text(readiness?.["lastTransitionTime"]));
  const hindrance = ready ? undefined : hindranceOf(status, conditions);
  return {
    ...(apiVersion === undefined ? {} : { apiVersion }),
    ...(kind === undefined ? {} : { kind }),
    metadata,
    status: {
      podIP: text(status["podIP"]),
      phase: text(status["phase"]),
      ready,
      ports: containers.flatMap((one) => records(one["ports"]).map(portView)),
      ...(hindrance === undefined ? {} : { hindrance }),
      ...(unreadySince === undefined ? {} : { unreadySince }),
    },
  };
}

function portView(port: Fields): ContainerPort {
  return { name: text(port["name"]), containerPort: Number(port["containerPort"]) };
}

/** An image may be minutes on its way: of a container that runs for the first time its own start counts. Undefined before that. */
function unreadySinceOf(status: Fields, changed: string): string | undefined {
  const times = records(status["containerStatuses"]).flatMap((container) => {
    const state = record(container["state"]);
    if ([state, record(container["lastState"])].some((one) => isRecord(one["terminated"]))) return [changed];
    const started = text(record(state["running"])["startedAt"]);
    return started === "" ? [] : [started > changed ? started : changed];
  });
  return times.find((time) => time !== "");
}

/**
 * In words that stay while nothing changes: the kubelet swaps reasons at every try (ErrImagePull and ImagePullBackOff,
 * CrashLoopBackOff and Running), and each would be another status.
 */
function hindranceOf(status: Fields, conditions: readonly Fields[]): PodHindrance | undefined {
  const scheduled = conditions.find((one) => one["type"] === "PodScheduled");
  if (scheduled?.["status"] === "False") return { kind: "unscheduled", detail: text(scheduled["message"]) };
  for (const container of [...records(status["initContainerStatuses"]), ...records(status["containerStatuses"])]) {
    const hindrance = container["ready"] === true ? undefined : containerHindrance(container);
    if (hindrance !== undefined) return hindrance;
  }
  const phase = text(status["phase"]);
  // The kubelet's own reason: an eviction, a node that could not take it.
  if (phase === "Failed") return { kind: "ended", detail: textOf([status["reason"], status["message"]]) };
  return undefined;
}

function containerHindrance(container: Fields): PodHindrance | undefined {
  const state = record(container["state"]);
  const waiting = record(state["waiting"]);
  const reason = text(waiting["reason"]);
  if (/^(?:ErrImage|ImagePull|InvalidImageName|RegistryUnavailable)/.test(reason)) {
    return { kind: "image", detail: text(container["image"]) };
  }
  const ended = [state["terminated"], record(container["lastState"])["terminated"]].find(isRecord);
  if (ended !== undefined) {
    const why = text(ended["reason"]);
    return { kind: "ended", detail: textOf([why === "Error" ? "" : why, `exit code ${Number(ended["exitCode"])}`]) };
  }
  // ContainerCreating and PodInitializing say nothing more.
  const message = text(waiting["message"]);
  return message === "" ? undefined : { kind: "waiting", detail: textOf([reason, message]) };
}

function textOf(parts: readonly unknown[]): string {
  return parts
    .map(text)
    .filter((part) => part !== "")
    .join(", ");
}

function record(value: unknown): Fields {
  return isRecord(value) ? value : {};
}

function records(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.map(record) : [];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
