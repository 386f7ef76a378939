/** Who reaches the pods by network. Peers and rules are a NetworkPolicy's own, of which the parts that speak of traffic in. */
import { z } from "zod";
import { listAtomic } from "../schema/list.ts";
import { network } from "../schema/network.ts";
import { atLeastOneOf, ruled, type Rule } from "../schema/rule.ts";
import { anyLabelSelector } from "../schema/selector.ts";
import { portNumber } from "../schema/text.ts";

interface Peer {
  namespaceSelector?: object | undefined;
  podSelector?: object | undefined;
  ipBlock?: object | undefined;
}

/** Kubernetes' own rule: without it the policy would be refused long after the manifest was taken. */
const networkStandsAlone: Rule<Peer> = {
  cel: "!has(self.ipBlock) || (!has(self.namespaceSelector) && !has(self.podSelector))",
  message: "must stand alone: write the selectors as another entry",
  at: ["ipBlock"],
  holds: ({ namespaceSelector, podSelector, ipBlock }) =>
    ipBlock === undefined || (namespaceSelector === undefined && podSelector === undefined),
};

interface Reached {
  networkPolicy: { enabled: boolean };
  listeners: readonly { sources?: readonly { ipBlock?: object | undefined }[] | undefined }[];
}

/** A relay knows addresses only: without a NetworkPolicy nobody would look at labels, and everybody could connect. */
export const labelsNeedPolicy: Rule<Reached> = {
  cel:
    "self.networkPolicy.enabled || " +
    "self.listeners.all(one, !has(one.sources) || one.sources.all(peer, has(peer.ipBlock)))",
  message:
    "must be true where sources of a listener select by labels, which only a NetworkPolicy enforces: enable it, or name " +
    "networks (ipBlock) alone in sources",
  at: ["networkPolicy", "enabled"],
  holds: ({ networkPolicy: { enabled }, listeners }) =>
    enabled || listeners.every(({ sources = [] }) => sources.every(({ ipBlock }) => ipBlock !== undefined)),
};

export function networkPeers() {
  const peer = z.strictObject({
    namespaceSelector: anyLabelSelector().optional().describe("Namespaces by label; all of them when empty."),
    podSelector: anyLabelSelector()
      .optional()
      .describe("Pods by label, in those namespaces or this one; all when empty."),
    ipBlock: z
      .strictObject({ cidr: network().describe("The network.") })
      .optional()
      .describe("A network outside the cluster."),
  });
  const rules = [atLeastOneOf("namespaceSelector", "podSelector", "ipBlock"), networkStandsAlone];
  return listAtomic(ruled(peer, rules), 16).min(1, { error: "must name at least one peer" });
}

const ingressRule = z.strictObject({
  from: networkPeers().optional().describe("Peers, as in a NetworkPolicy; everybody when absent."),
  ports: listAtomic(
    z.strictObject({
      port: portNumber().describe("Port of the pods."),
      protocol: z.enum(["TCP", "UDP", "SCTP"]).optional().describe("TCP when absent."),
    }),
    16,
  )
    .min(1, { error: "must name at least one port" })
    .optional()
    .describe("Ports that they reach; all when absent."),
});

export const networkPolicy = z
  .strictObject({
    enabled: z
      .boolean()
      .default(true)
      .describe(
        "False: the operator makes none, and who reaches the pods is up to policies of others; sources of listeners are then networks (ipBlock) alone.",
      ),
    clients: networkPeers()
      .optional()
      .describe(
        "Who may reach the listeners, as peers of a NetworkPolicy; everybody when absent, because clients prove who " +
          "they are. A listener's own sources go before it; one with proxyProtocol is reached by its trustedNetworks alone.",
      ),
    extraIngress: listAtomic(ingressRule, 16)
      .default([])
      .describe("Further rules for traffic in, as of a NetworkPolicy: a mesh's port, for example."),
  })
  .prefault({})
  .describe("The NetworkPolicy around the pods. It limits traffic in, never the ways out.");
