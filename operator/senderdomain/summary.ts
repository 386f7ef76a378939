/**
 * Ready, Reconciling and Stalled of a SenderDomain, as people and kstatus read them, from the conditions that stand for
 * something. Pure.
 */
import { nameOf } from "../kube/kube.ts";
import { whyUnsent } from "../mailrelay/assess.ts";
import { type DomainFinding, finding } from "./assess.ts";
import { whyNobodySends } from "./senders.ts";
import type { DomainWorld } from "./world.ts";

/**
 * What a manifest names may be applied a moment after it: only then does somebody have to act. Whoever waits for both
 * (Flux, Helm) takes Stalled for the end.
 */
export const arrivalMs = 15_000;

const mayArrive: ReadonlySet<string> = new Set(["RelayNotFound", "SecretNotFound", "ConfigMapNotFound"]);

/** `world` is undefined where the domain's spec cannot be read. */
export function summarizeDomain(
  world: DomainWorld | undefined,
  findings: readonly DomainFinding[],
): readonly DomainFinding[] {
  const broken = findings.find((entry) => entry.status !== "True");
  const settled = finding("Reconciling", "False", "Settled", "nothing is left to do");
  const moving = finding("Stalled", "False", "Settled", "nothing stands in the way");
  const nobody = world === undefined ? undefined : whyNobodySends(world);
  if (nobody !== undefined && (broken === undefined || broken.reason === "Hibernating")) {
    const message = `nobody can use the domain: ${nobody}`;
    return [finding("Ready", "False", "NoSenders", message), ...waiting(message)];
  }
  if (broken === undefined) return [finding("Ready", "True", "Ready", readyMessage(world)), settled, moving];
  if (broken.reason === "Hibernating")
    return [finding("Ready", "True", "Hibernating", broken.message), settled, moving];
  if (isUnderWay(broken) || isArriving(world, broken)) {
    return [
      finding("Ready", "False", "Progressing", broken.message),
      finding("Reconciling", "True", "Progressing", broken.message),
      moving,
    ];
  }
  return [finding("Ready", "False", "Invalid", broken.message), ...waiting(broken.message)];
}

function waiting(message: string): readonly DomainFinding[] {
  return [
    finding("Reconciling", "False", "Settled", "waits for a person"),
    finding("Stalled", "True", "Invalid", message),
  ];
}

/** Milliseconds until what a new domain names counts as missing; undefined where that plays no part. */
export function untilArrived(world: DomainWorld, findings: readonly DomainFinding[]): number | undefined {
  const broken = findings.find((entry) => entry.status !== "True");
  return broken !== undefined && isArriving(world, broken) ? arrivalMs - ageOf(world) : undefined;
}

function isUnderWay(broken: DomainFinding): boolean {
  return broken.type === "Programmed" || broken.status === "Unknown";
}

function isArriving(world: DomainWorld | undefined, broken: DomainFinding): boolean {
  if (world === undefined || !mayArrive.has(broken.reason)) return false;
  const age = ageOf(world);
  return age >= 0 && age < arrivalMs;
}

function ageOf({ domain, now }: DomainWorld): number {
  return now - Date.parse(domain.metadata.creationTimestamp ?? "1970-01-01T00:00:00Z");
}

function readyMessage(world: DomainWorld | undefined): string {
  const goes = "mail of the domain is taken and sent";
  if (world === undefined) return goes;
  const { relay } = world;
  const unsent = relay === undefined ? undefined : whyUnsent(relay);
  if (relay === undefined || unsent === undefined) return goes;
  return `mail of the domain is taken, but of MailRelay ${nameOf(relay.metadata)} ${unsent}`;
}
