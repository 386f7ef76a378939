/** The Kubernetes Service in front of the listeners. */
import { z } from "zod";
import { listAtomic, listSet } from "../schema/list.ts";
import { network } from "../schema/network.ts";
import { ruled, type Rule } from "../schema/rule.ts";
import { textMap } from "../schema/text.ts";

interface Exposure {
  type: string;
  loadBalancerClass?: string | undefined;
  loadBalancerSourceRanges: readonly string[];
  externalTrafficPolicy?: string | undefined;
}

const balancerFieldsNeedBalancer: Rule<Exposure> = {
  cel: "self.type == 'LoadBalancer' || (!has(self.loadBalancerClass) && self.loadBalancerSourceRanges.size() == 0)",
  message: "must be LoadBalancer when loadBalancerClass or loadBalancerSourceRanges is set",
  at: ["type"],
  holds: ({ type, loadBalancerClass, loadBalancerSourceRanges }) =>
    type === "LoadBalancer" || (loadBalancerClass === undefined && loadBalancerSourceRanges.length === 0),
};

const trafficPolicyNeedsOutside: Rule<Exposure> = {
  cel: "self.type != 'ClusterIP' || !has(self.externalTrafficPolicy)",
  message: "must be left out when type is ClusterIP: nothing comes from outside",
  at: ["externalTrafficPolicy"],
  holds: ({ type, externalTrafficPolicy }) => type !== "ClusterIP" || externalTrafficPolicy === undefined,
};

interface Families {
  ipFamilyPolicy?: string | undefined;
  ipFamilies?: readonly string[] | undefined;
}

const twoFamiliesNeedDualStack: Rule<Families> = {
  cel:
    "!has(self.ipFamilies) || self.ipFamilies.size() < 2 || " +
    "(has(self.ipFamilyPolicy) && self.ipFamilyPolicy != 'SingleStack')",
  message: "must be PreferDualStack or RequireDualStack when ipFamilies names two",
  at: ["ipFamilyPolicy"],
  holds: ({ ipFamilyPolicy, ipFamilies = [] }) =>
    ipFamilies.length < 2 || (ipFamilyPolicy !== undefined && ipFamilyPolicy !== "SingleStack"),
};

const familiesDiffer: Rule<Families> = {
  cel: "!has(self.ipFamilies) || self.ipFamilies.size() < 2 || self.ipFamilies[0] != self.ipFamilies[1]",
  message: "must name each family once",
  at: ["ipFamilies"],
  holds: ({ ipFamilies: [first, second] = [] }) => first === undefined || first !== second,
};

const firstFamilyIsImmutable = {
  cel: "!has(self.ipFamilies) || !has(oldSelf.ipFamilies) || self.ipFamilies[0] == oldSelf.ipFamilies[0]",
  message: "the first of ipFamilies cannot change: Kubernetes does not allow it",
};

const classIsImmutable = {
  cel:
    "self.type != oldSelf.type || " +
    "(has(self.loadBalancerClass) ? has(oldSelf.loadBalancerClass) && self.loadBalancerClass == oldSelf.loadBalancerClass " +
    ": !has(oldSelf.loadBalancerClass))",
  message: "loadBalancerClass cannot change while type stays LoadBalancer: Kubernetes does not allow it",
};

export const clientService = ruled(
  z.strictObject({
    type: z
      .enum(["ClusterIP", "NodePort", "LoadBalancer"])
      .default("ClusterIP")
      .describe("ClusterIP: inside the cluster only. NodePort and LoadBalancer: from outside too."),
    labels: textMap(32, 63)
      .optional()
      .describe("More labels on the Service, as policies and cost reports ask for them."),
    annotations: textMap(64, 4096).default({}).describe("Annotations of the Service, as load balancers ask for them."),
    externalTrafficPolicy: z
      .enum(["Cluster", "Local"])
      .optional()
      .describe(
        "Local keeps the client's address, which trustedNetworks and limits need; Kubernetes' default is Cluster.",
      ),
    internalTrafficPolicy: z
      .enum(["Cluster", "Local"])
      .optional()
      .describe("Local: clients inside the cluster reach pods of their own node only; Kubernetes' default is Cluster."),
    loadBalancerClass: z.string().min(1).max(253).optional().describe("Which load balancer implementation is asked."),
    loadBalancerSourceRanges: listSet(network(), 64)
      .default([])
      .describe("Networks the load balancer lets in; all when empty."),
    ipFamilyPolicy: z
      .enum(["SingleStack", "PreferDualStack", "RequireDualStack"])
      .optional()
      .describe("IPv4, IPv6 or both; Kubernetes' default is SingleStack."),
    ipFamilies: listAtomic(z.enum(["IPv4", "IPv6"]), 2)
      .min(1, { error: "must name at least one family" })
      .optional()
      .describe("Which of them, the first one first; the cluster's own when absent."),
  }),
  [balancerFieldsNeedBalancer, trafficPolicyNeedsOutside, twoFamiliesNeedDualStack, familiesDiffer],
  [classIsImmutable, firstFamilyIsImmutable],
)
  .prefault({})
  .describe("The Service that clients connect to.");
