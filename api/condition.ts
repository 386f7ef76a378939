/**
 * Conditions as Kubernetes tools read them. Status is only True, False or Unknown; a type says one thing for ever; every
 * reason is a constant of its kind (api/status/) with the situation that raises it.
 */
import { z } from "zod";

export const condition = z
  .strictObject({
    type: z.string().min(1).max(316).describe("What the condition is about, for example Ready."),
    status: z.enum(["True", "False", "Unknown"]).describe("Unknown until it has been judged."),
    observedGeneration: z.int().min(0).optional().describe("metadata.generation that was judged."),
    lastTransitionTime: z
      .string()
      .max(64)
      .meta({ format: "date-time" })
      .describe("When status last changed; a new reason or message alone does not move it."),
    reason: z.string().min(1).max(1024).describe("The cause as one stable word, for machines."),
    message: z.string().max(32768).describe("The cause and what to do, for people; it names the field or object."),
  })
  .describe("One judgement about the resource.");

export type Condition = z.infer<typeof condition>;

/** What a judge says; when it became so is setCondition's to decide. */
export type Judgement = Omit<Condition, "lastTransitionTime">;

/** The list as status carries it: a map by type. */
export const conditions = z
  .array(condition)
  .max(16)
  .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"] });

export const observedGeneration = z
  .int()
  .min(-1)
  .describe("The metadata.generation that this status speaks of; -1 until the operator has looked at the resource.");

/**
 * The status of a resource that nobody has looked at, filled in by the API server: without it tools that wait for a resource
 * (kstatus: Flux, Argo CD, Helm) take it for ready while no operator has seen it.
 */
export const unjudged: { readonly observedGeneration: number; readonly conditions: readonly Condition[] } = {
  observedGeneration: -1,
  conditions: [
    {
      type: "Ready",
      status: "Unknown",
      reason: "Pending",
      message: "the operator has not looked at it yet",
      lastTransitionTime: "1970-01-01T00:00:00Z",
    },
  ],
};

/** A reason and the situation that raises it; the reference pages are written from these. */
export interface ReasonText {
  readonly reason: string;
  readonly when: string;
}

/**
 * The list with the entry of `next.type` replaced, or added at the end; all other entries are the same objects.
 * @param now milliseconds since the epoch; becomes lastTransitionTime (whole seconds, as metav1.Time) only when the status differs.
 */
export function setCondition(list: readonly Condition[], next: Judgement, now: number): Condition[] {
  const before = list.find((entry) => entry.type === next.type);
  const lastTransitionTime =
    before !== undefined && before.status === next.status ? before.lastTransitionTime : timestamp(now);
  const entry: Condition = { ...next, lastTransitionTime };
  if (before === undefined) return [...list, entry];
  return list.map((other) => (other === before ? entry : other));
}

/** RFC 3339 in UTC with whole seconds, which is all that metav1.Time keeps. */
export function timestamp(now: number): string {
  return `${new Date(now).toISOString().slice(0, 19)}Z`;
}
