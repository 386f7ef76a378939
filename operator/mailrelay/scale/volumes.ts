/**
 * What becomes of the spool volumes: they grow, never shrink, and go only when the spool in them is proven empty. What
 * waited in a volume when its pod left is written on its claim, so that status can name it later. Pure.
 */
import { emptySpoolAnnotation, queuedAnnotation, retainedLabel } from "../../../api/labels.ts";
import { parseQuantity } from "../../../api/quantity.ts";
import type { MetadataChange } from "../../kube/kube.ts";
import { podNameAt } from "../../owned/names.ts";
import type { ClaimFact } from "../../pods/facts.ts";
import type { RelayWorld } from "../world.ts";

export interface ClaimMark {
  readonly name: string;
  readonly change: MetadataChange;
}

export interface VolumePlan {
  readonly marks: readonly ClaimMark[];
  readonly grow: readonly { readonly name: string; readonly size: string }[];
  /** Names of claims whose spool is proven empty and whose pod is gone. */
  readonly remove: readonly string[];
}

export interface VolumeQuestion {
  readonly world: RelayWorld;
  /** Pods there will be after this plan: their claims are in use. */
  readonly replicas: number;
  readonly isDeleting: boolean;
}

export function planVolumes(question: VolumeQuestion): VolumePlan {
  const { world, replicas } = question;
  const marks: ClaimMark[] = [];
  const remove: string[] = [];
  for (const claim of world.claims) {
    const change = claim.ordinal < replicas ? forgetting(claim) : remembering(question, claim);
    if (change !== undefined) marks.push({ name: claim.name, change });
    else if (isSpent(question, claim)) remove.push(claim.name);
  }
  return { marks, grow: question.isDeleting ? [] : growth(world, replicas), remove };
}

/** Before a pod starts on the claim: an old proof must never speak of new mail. */
function forgetting(claim: ClaimFact): MetadataChange | undefined {
  if (claim.queued === undefined && claim.emptySpool === undefined && !claim.isRetained) return undefined;
  return {
    labels: { [retainedLabel]: undefined },
    annotations: { [queuedAnnotation]: undefined, [emptySpoolAnnotation]: undefined },
  };
}

/** While its pod still answers: afterwards nobody can say what is in there. */
function remembering({ world, isDeleting }: VolumeQuestion, claim: ClaimFact): MetadataChange | undefined {
  const name = podNameAt(world.relay.metadata.name, claim.ordinal);
  const pod = world.pods.find((candidate) => candidate.name === name);
  const spool = pod?.report?.spool;
  const isProven = spool !== undefined && pod?.report?.draining === true && spool.queuedMessages === 0;
  const annotations: Record<string, string | undefined> = {};
  if (spool !== undefined && claim.queued !== spool.queuedRecipients) {
    annotations[queuedAnnotation] = String(spool.queuedRecipients);
  }
  if (isProven && claim.emptySpool !== spool.spoolId) annotations[emptySpoolAnnotation] = spool.spoolId;
  // A pod that was restarted after it had proven its spool empty may have taken mail since.
  if (!isProven && spool !== undefined && claim.emptySpool !== undefined) annotations[emptySpoolAnnotation] = undefined;
  const isKept = isDeleting && !isProven && claim.emptySpool === undefined && !claim.isRetained;
  if (Object.keys(annotations).length === 0 && !isKept) return undefined;
  return { ...(isKept ? { labels: { [retainedLabel]: "true" } } : {}), annotations };
}

function isSpent({ world, replicas }: VolumeQuestion, claim: ClaimFact): boolean {
  const name = podNameAt(world.relay.metadata.name, claim.ordinal);
  const isInUse = claim.ordinal < replicas || world.pods.some((pod) => pod.name === name);
  // Hibernation keeps volumes whatever is in them: the same pods come back.
  const isKept = world.relay.spec.replicas === 0 && world.relay.metadata.deletionTimestamp === undefined;
  return claim.emptySpool !== undefined && !isInUse && !isKept && !claim.isGoing;
}

function growth(world: RelayWorld, replicas: number): VolumePlan["grow"] {
  const { size } = world.relay.spec.spool.storage;
  return world.claims
    .filter((claim) => claim.ordinal < replicas && amount(claim.size) < amount(size))
    .filter((claim) => claim.growthRefused === undefined || claim.growthRefused.retryAt <= world.now)
    .map(({ name }) => ({ name, size }));
}

/** What of the wanted storage cannot be had, with what to do; undefined when volumes are as they should be. */
export function storageProblem(world: RelayWorld): string | undefined {
  const { size, storageClassName } = world.relay.spec.spool.storage;
  for (const claim of world.claims) {
    if (amount(claim.size) > amount(size)) {
      const field = "spec.spool.storage.size";
      return `${field}: volume ${claim.name} has ${claim.size} and cannot be made smaller: set ${claim.size} or more`;
    }
    if (claim.growthRefused !== undefined) {
      const field = "spec.spool.storage.size";
      return `${field}: volume ${claim.name} stays at ${claim.size}: ${claim.growthRefused.why}`;
    }
    if (storageClassName !== undefined && claim.storageClassName !== storageClassName) {
      const field = "spec.spool.storage.storageClassName";
      const present = claim.storageClassName ?? "no class";
      return `${field}: volume ${claim.name} is of ${present} and cannot change: set ${present}, or make a new MailRelay`;
    }
  }
  return undefined;
}

function amount(quantity: string): number {
  return parseQuantity(quantity) ?? 0;
}
