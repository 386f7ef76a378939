/** How many pods: decided by the operator from the pods' own reports, or by whoever drives the scale subresource. */
import { z } from "zod";
import { duration } from "../duration.ts";
import { ruled, type Rule } from "../schema/rule.ts";

const minimumIsNotAboveMaximum: Rule<{ minReplicas: number; maxReplicas: number }> = {
  cel: "self.minReplicas <= self.maxReplicas",
  message: "must not be above maxReplicas",
  at: ["minReplicas"],
  holds: ({ minReplicas, maxReplicas }) => minReplicas <= maxReplicas,
};

export const autoscaling = ruled(
  z.strictObject({
    minReplicas: z.int().min(1).max(100).default(1).describe("Never fewer pods than this."),
    maxReplicas: z.int().min(1).max(100).describe("Never more pods than this."),
    targetDueAge: duration("1s", "24h")
      .default("30s")
      .describe("Pods are added while the longest overdue message has waited longer than this."),
    targetMessagesPerSecond: z
      .int()
      .min(1)
      .max(1_000_000)
      .optional()
      .describe("Messages accepted a second by one pod before another is added; not considered when absent."),
  }),
  [minimumIsNotAboveMaximum],
).describe("Lets the operator choose the number of pods; replicas is then left out (0 still hibernates).");

/** 1 is the default of replicas and so cannot be told from leaving it out. */
const replicasOrAutoscaling: Rule<{ replicas: number; autoscaling?: unknown }> = {
  cel: "!has(self.autoscaling) || self.replicas <= 1",
  message: "is decided by autoscaling: remove replicas or autoscaling (replicas 0 hibernates)",
  at: ["replicas"],
  holds: ({ replicas, autoscaling: chosen }) => chosen === undefined || replicas <= 1,
};

export const scalingRules = [replicasOrAutoscaling];
