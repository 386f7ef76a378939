/**
 * How long the login of a Secret holds: what its annotation says, and when that is to be said again. A time that cannot be read is a
 * mistake, and the Secret lets nobody in: whoever wrote it did not want it to hold for ever. Pure.
 */
import { parseInstant } from "../../api/schema/instant.ts";
import { expiresAtAnnotation } from "../../api/labels.ts";
import type { Secret } from "../kube/objects.ts";

/** So long before the end it is told, in milliseconds. */
const noticeMs = 7 * 86_400_000;
/** Timers go no further than some weeks; to look once a day costs nothing. */
const lookMs = 86_400_000;

export type ExpiryReading =
  | { readonly kind: "usable"; readonly expiresAt: number | undefined }
  | { readonly kind: "invalid"; readonly why: string };

export function readExpiry({ metadata }: Pick<Secret, "metadata">): ExpiryReading {
  const text = metadata.annotations?.[expiresAtAnnotation];
  if (text === undefined) return { kind: "usable", expiresAt: undefined };
  const expiresAt = parseInstant(text);
  if (expiresAt !== undefined) return { kind: "usable", expiresAt };
  const why = `annotation ${expiresAtAnnotation} is no time: write it like 2027-01-31T00:00:00Z, or take it off`;
  return { kind: "invalid", why };
}

export type Age = "fresh" | "ending" | "ended";

export function ageOf(expiresAt: number | undefined, now: number): Age {
  if (expiresAt === undefined || expiresAt - now > noticeMs) return "fresh";
  return expiresAt > now ? "ending" : "ended";
}

/** Continues the name of a Secret. */
export function endText(age: "ending" | "ended", expiresAt: number): string {
  const end = new Date(expiresAt).toISOString().replace(".000Z", "Z");
  return age === "ending"
    ? `lets nobody in any more from ${end}: give the client another one before, or a later time in ${expiresAtAnnotation}`
    : `has let nobody in since ${end}: delete it, or write a later time in ${expiresAtAnnotation}`;
}

/** Milliseconds until something else is to be said or done; undefined when nothing ever ends. */
export function untilNextAge(ends: readonly number[], now: number): number | undefined {
  const turns = ends.flatMap((end) => [end - noticeMs, end]).filter((at) => at > now);
  return turns.length === 0 ? undefined : Math.min(lookMs, Math.min(...turns) - now);
}
