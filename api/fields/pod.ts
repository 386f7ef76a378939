/** How the relay's pods run. Everything else about them (security, probes, mounts) is the operator's. */
import { z } from "zod";
import { spelled } from "../schema/pattern.ts";
import { quantity } from "../quantity.ts";
import { listAtomic, listMap } from "../schema/list.ts";
import { ruled, type Rule } from "../schema/rule.ts";
import { anyLabelSelector } from "../schema/selector.ts";
import { hostName, objectName, textMap } from "../schema/text.ts";
import { ipAddress } from "../schema/network.ts";
import { duration } from "../duration.ts";
import { containerSecurityContext, podSecurityContext } from "./podsecurity.ts";

function amounts() {
  return z.record(z.string().max(63), quantity()).meta({ maxProperties: 16 });
}

const resources = z.strictObject({
  requests: amounts().optional().describe("What a pod is promised, for example {cpu: 500m, memory: 256Mi}."),
  limits: amounts().optional().describe("What a pod may use at most."),
});

// The rules below are Kubernetes' own for pods: a template that breaks them would be refused long after the manifest was taken.
interface Toleration {
  key?: string | undefined;
  operator?: string | undefined;
  value?: string | undefined;
  effect?: string | undefined;
  tolerationSeconds?: number | undefined;
}

const existsHasNoValue: Rule<Toleration> = {
  cel: "!(has(self.operator) && self.operator == 'Exists' && has(self.value))",
  message: "must be left out when operator is Exists",
  at: ["value"],
  holds: ({ operator, value }) => !(operator === "Exists" && value !== undefined),
};

const everyKeyNeedsExists: Rule<Toleration> = {
  cel: "has(self.key) || (has(self.operator) && self.operator == 'Exists')",
  message: "must be Exists when key is left out",
  at: ["operator"],
  holds: ({ key, operator }) => key !== undefined || operator === "Exists",
};

const secondsNeedNoExecute: Rule<Toleration> = {
  cel: "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
  message: "must be NoExecute when tolerationSeconds is set",
  at: ["effect"],
  holds: ({ effect, tolerationSeconds }) => tolerationSeconds === undefined || effect === "NoExecute",
};

const tolerationFields = z.strictObject({
  key: z.string().max(317).optional().describe("Taint key; all when absent."),
  operator: z.enum(["Exists", "Equal"]).optional().describe("Equal when absent."),
  value: z.string().max(63).optional().describe("Taint value for Equal."),
  effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]).optional().describe("Taint effect; all when absent."),
  tolerationSeconds: z.int().min(0).max(2_147_483_647).optional().describe("How long NoExecute is tolerated, seconds."),
});

const toleration = ruled(tolerationFields, [existsHasNoValue, everyKeyNeedsExists, secondsNeedNoExecute]);

const minDomainsMustBeKept: Rule<{ minDomains?: number | undefined; whenUnsatisfiable: string }> = {
  cel: "!has(self.minDomains) || self.whenUnsatisfiable == 'DoNotSchedule'",
  message: "must be left out unless whenUnsatisfiable is DoNotSchedule",
  at: ["minDomains"],
  holds: ({ minDomains, whenUnsatisfiable }) => minDomains === undefined || whenUnsatisfiable === "DoNotSchedule",
};

const spreadFields = z.strictObject({
  maxSkew: z.int().min(1).max(1000).describe("Largest difference of pods between two domains."),
  topologyKey: z.string().min(1).max(317).describe("Node label that makes the domains."),
  whenUnsatisfiable: z.enum(["DoNotSchedule", "ScheduleAnyway"]).describe("What happens when it cannot be kept."),
  labelSelector: anyLabelSelector().optional().describe("Pods that are counted; the relay's own when absent."),
  minDomains: z.int().min(1).max(1000).optional().describe("Domains there should be at least."),
  nodeAffinityPolicy: z.enum(["Honor", "Ignore"]).optional().describe("Whether node affinity limits the domains."),
  nodeTaintsPolicy: z.enum(["Honor", "Ignore"]).optional().describe("Whether taints limit the domains."),
});

const topologySpreadConstraint = ruled(spreadFields, [minDomainsMustBeKept]);

/** Kubernetes' own and large; the API server checks it when the pod is made. */
function kubernetesObject(what: string) {
  return z.looseObject({}).optional().describe(what);
}

const affinity = z.strictObject({
  nodeAffinity: kubernetesObject("As in a pod's spec."),
  podAffinity: kubernetesObject("As in a pod's spec."),
  podAntiAffinity: kubernetesObject("As in a pod's spec."),
});

const dnsConfig = z.strictObject({
  nameservers: listAtomic(ipAddress(), 3).optional().describe("Addresses of name servers, at most three."),
  searches: listAtomic(hostName(), 32).optional().describe("Domains that short names are completed with."),
  options: listAtomic(
    z.strictObject({
      name: z.string().min(1).max(63).describe("Name of the option, for example ndots."),
      value: z.string().max(63).optional().describe("Its value."),
    }),
    16,
  )
    .optional()
    .describe("Options of resolv.conf."),
});

interface Resolving {
  dnsPolicy?: string | undefined;
  dnsConfig?: { nameservers?: readonly string[] | undefined } | undefined;
}

const nonePolicyNeedsServers: Rule<Resolving> = {
  cel:
    "!has(self.dnsPolicy) || self.dnsPolicy != 'None' || " +
    "(has(self.dnsConfig) && has(self.dnsConfig.nameservers) && self.dnsConfig.nameservers.size() > 0)",
  message: "must name at least one of nameservers when dnsPolicy is None",
  at: ["dnsConfig"],
  holds: ({ dnsPolicy, dnsConfig: config }) => dnsPolicy !== "None" || (config?.nameservers ?? []).length > 0,
};

const hostAlias = z.strictObject({
  ip: ipAddress().describe("Address."),
  hostnames: listAtomic(hostName(), 16)
    .min(1, { error: "must name at least one host" })
    .describe("Names that stand for it."),
});

const podFields = z.strictObject({
  image: spelled(z.string().min(1).max(512), /^[^\s]+$/, "must be an image reference without spaces")
    .optional()
    .describe("Relay image; the one that came with the operator when absent."),
  imagePullPolicy: z
    .enum(["Always", "IfNotPresent", "Never"])
    .optional()
    .describe("When nodes pull the image; as the operator was told when absent."),
  resources: resources.optional().describe("CPU and memory of each pod."),
  securityContext: podSecurityContext.optional(),
  containerSecurityContext: containerSecurityContext.optional(),
  nodeSelector: textMap(32, 63).optional().describe("Node labels that pods need."),
  tolerations: listAtomic(toleration, 32).optional().describe("Taints that pods tolerate."),
  affinity: affinity.optional().describe("Where pods run; a preference for different nodes when absent."),
  topologySpreadConstraints: listAtomic(topologySpreadConstraint, 8).optional().describe("How pods spread."),
  imagePullSecrets: listMap(z.strictObject({ name: objectName().describe("Name of the Secret.") }), "name", 8)
    .optional()
    .describe("Secrets for pulling the image."),
  priorityClassName: objectName().optional().describe("Priority class of the pods."),
  runtimeClassName: objectName().optional().describe("Runtime class of the pods."),
  dnsPolicy: z
    .enum(["ClusterFirst", "Default", "None"])
    .optional()
    .describe("Where names are looked up; ClusterFirst when absent. Mail goes by the same answers."),
  dnsConfig: dnsConfig.optional().describe("Name servers, domains and options beside those of dnsPolicy."),
  hostAliases: listMap(hostAlias, "ip", 32)
    .optional()
    .describe("Names with fixed addresses; MX records are not among them."),
  terminationGracePeriod: duration("15s", "1h")
    .default("60s")
    .describe(
      "How long a pod that stops may take. Messages in flight have 35 s less, and at least 5 s. Nothing is lost by a short one.",
    ),
  labels: textMap(32, 63).optional().describe("More labels on the pods."),
  annotations: textMap(32, 4096).optional().describe("More annotations on the pods."),
});

export const pod = ruled(podFields, [nonePolicyNeedsServers]).prefault({}).describe("How the pods run.");
