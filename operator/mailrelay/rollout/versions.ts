/**
 * Which version of the documents a relay's pods are given: the newest that all of them read, so that pods of the release before go
 * on while a new operator replaces them, or for good where a MailRelay names their image. Pure.
 */
import { type DocumentVersion, documentVersions } from "../../../api/relayconfig.ts";
import { wantedTemplate } from "./rollout.ts";
import type { RelayWorld } from "../world.ts";
import type { PodFact } from "../../pods/facts.ts";

type Facts = Pick<RelayWorld, "now" | "relay" | "installation" | "pods">;

/** A relay that starts is ready within seconds; one that is not after this long is taken to be unable to read what is there. */
const startingMs = 60_000;

/** `mounted` is the version that the pods have now; undefined when they have none. */
export function documentVersionFor(world: Facts, mounted: DocumentVersion | undefined): DocumentVersion {
  const { oldest, newest } = documentVersions;
  const present = mounted ?? oldest;
  const { now, relay, installation, pods } = world;
  const isOwnImage = (relay.spec.pod.image ?? installation.image) === installation.ownImage;
  const wanted = wantedTemplate(world);
  const isOfToday = ({ template }: PodFact): boolean => template !== undefined && template === wanted;
  const told = pods.find((pod) => isOfToday(pod) && pod.reads !== undefined)?.reads;
  const readBy = (pod: PodFact): number => {
    if (pod.reads !== undefined) return pod.reads;
    // It is as it was when it got what it has, or another comes in its place.
    if (!isOfToday(pod) || (pod.ready && !isOwnImage)) return present;
    if (told !== undefined || isOwnImage) return told ?? newest;
    // A pod of an older image that cannot read what is there says nothing at all; one that only starts tells in a moment.
    const isSilent = pod.unreadySince !== undefined && now - pod.unreadySince >= startingMs;
    return isSilent ? oldest : present;
  };
  const isImageKnown = isOwnImage || told !== undefined;
  const read = pods.filter(({ isGoing, report }) => !isGoing || report !== undefined).map(readBy);
  return Math.min(isImageKnown ? newest : present, ...read) < newest ? oldest : newest;
}
