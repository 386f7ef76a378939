/** How the relay's pods run. Everything else about them (security, probes, mounts) is the operator's. */
import { z } from "zod";
import { quantity } from "../quantity.ts";
import { listAtomic, listMap } from "../words/list.ts";
import { anyLabelSelector } from "../words/selector.ts";
import { objectName, textMap } from "../words/text.ts";

function amounts() {
  return z.record(z.string().max(63), quantity()).meta({ maxProperties: 16 });
}

const resources = z.strictObject({
  requests: amounts().optional().describe("What a pod is promised, for example {cpu: 500m, memory: 256Mi}."),
  limits: amounts().optional().describe("What a pod may use at most."),
});

const toleration = z.strictObject({
  key: z.string().max(317).optional().describe("Taint key; all when absent."),
  operator: z.enum(["Exists", "Equal"]).optional().describe("Equal when absent."),
  value: z.string().max(63).optional().describe("Taint value for Equal."),
  effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]).optional().describe("Taint effect; all when absent."),
  tolerationSeconds: z.int().min(0).max(2_147_483_647).optional().describe("How long NoExecute is tolerated, seconds."),
});

const topologySpreadConstraint = z.strictObject({
  maxSkew: z.int().min(1).max(1000).describe("Largest difference of pods between two domains."),
  topologyKey: z.string().min(1).max(317).describe("Node label that makes the domains."),
  whenUnsatisfiable: z.enum(["DoNotSchedule", "ScheduleAnyway"]).describe("What happens when it cannot be kept."),
  labelSelector: anyLabelSelector().optional().describe("Pods that are counted; the relay's own when absent."),
  minDomains: z.int().min(1).max(1000).optional().describe("Domains there should be at least."),
  nodeAffinityPolicy: z.enum(["Honor", "Ignore"]).optional().describe("Whether node affinity limits the domains."),
  nodeTaintsPolicy: z.enum(["Honor", "Ignore"]).optional().describe("Whether taints limit the domains."),
});

/** Kubernetes' own and large; the API server checks it when the pod is made. */
function kubernetesObject(what: string) {
  return z.looseObject({}).optional().describe(what);
}

const affinity = z.strictObject({
  nodeAffinity: kubernetesObject("As in a pod's spec."),
  podAffinity: kubernetesObject("As in a pod's spec."),
  podAntiAffinity: kubernetesObject("As in a pod's spec."),
});

export const pod = z
  .strictObject({
    image: z
      .string()
      .min(1)
      .max(512)
      .regex(/^[^\s]+$/, { error: "must be an image reference without spaces", abort: true })
      .optional()
      .describe("Relay image; the one that came with the operator when absent."),
    resources: resources.optional().describe("CPU and memory of each pod."),
    nodeSelector: textMap(32, 63).optional().describe("Node labels that pods need."),
    tolerations: listAtomic(toleration, 32).optional().describe("Taints that pods tolerate."),
    affinity: affinity.optional().describe("Where pods run; a preference for different nodes when absent."),
    topologySpreadConstraints: listAtomic(topologySpreadConstraint, 8).optional().describe("How pods spread."),
    imagePullSecrets: listMap(z.strictObject({ name: objectName().describe("Name of the Secret.") }), "name", 8)
      .optional()
      .describe("Secrets for pulling the image."),
    priorityClassName: objectName().optional().describe("Priority class of the pods."),
    labels: textMap(32, 63).optional().describe("More labels on the pods."),
    annotations: textMap(32, 4096).optional().describe("More annotations on the pods."),
  })
  .prefault({})
  .describe("How the pods run.");
