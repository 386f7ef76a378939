/**
 * The NetworkPolicy: who reaches which port of the pods. Ways out are not limited, because mail goes everywhere.
 * Listeners are open to everybody where the manifest names nobody, since clients prove who they are; one behind a load balancer is
 * open to that balancer, since the relay refuses everybody else there. The operator itself always reaches the plain port. Orders and mail from
 * pod to pod have a port that nobody else reaches.
 */
import { administrationPort } from "../../../api/administration.ts";
import { componentLabel, nameLabel, relayLabel } from "../../../api/labels.ts";
import { containerPort } from "../../../api/fields/listener.ts";
import type { Listener, MailRelay } from "../../../api/mailrelay.ts";
import { networkOf } from "../../../api/schema/network.ts";
import type { IngressRule, NetworkPeer, NetworkPolicy } from "../../kube/kinds.ts";
import type { Stored } from "../../kube/objects.ts";
import { ownedMetadata } from "../../owned/metadata.ts";
import { httpPort } from "./podtemplate.ts";

export function renderNetworkPolicy(relay: Stored<MailRelay>, operatorNamespace: string): NetworkPolicy {
  const { name } = relay.metadata;
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: ownedMetadata(relay, name),
    spec: {
      podSelector: { matchLabels: { [relayLabel]: name } },
      policyTypes: ["Ingress"],
      ingress: [
        ...relay.spec.listeners.map((listener) => listenerRule(relay, listener)),
        {
          from: [operatorPeer(operatorNamespace), { podSelector: { matchLabels: { [relayLabel]: name } } }],
          ports: [{ port: administrationPort, protocol: "TCP" }],
        },
        { from: [...watchers(relay), operatorPeer(operatorNamespace)], ports: [{ port: httpPort, protocol: "TCP" }] },
        ...relay.spec.networkPolicy.extraIngress.map(extraRule),
      ],
    },
  };
}

function listenerRule(relay: Stored<MailRelay>, listener: Listener): IngressRule {
  const ports = [{ port: containerPort(listener.port), protocol: "TCP" }] as const;
  const balancers = listener.proxyProtocol?.trustedNetworks.map((cidr) => ({ ipBlock: { cidr } }));
  const from = balancers ?? listener.sources ?? relay.spec.networkPolicy.clients;
  return from === undefined ? { ports } : { from: from.map(peerOf), ports };
}

function peerOf(peer: NetworkPeer): NetworkPeer {
  return peer.ipBlock === undefined ? peer : { ...peer, ipBlock: { cidr: networkOf(peer.ipBlock.cidr) } };
}

function extraRule({ from, ports }: MailRelay["spec"]["networkPolicy"]["extraIngress"][number]): IngressRule {
  return {
    ...(from === undefined ? {} : { from: from.map(peerOf) }),
    ...(ports === undefined
      ? {}
      : { ports: ports.map(({ port, protocol }) => ({ port, protocol: protocol ?? "TCP" })) }),
  };
}

/** The relay's own namespace when the manifest does not say: what a relay counts tells who sends how much to whom. */
function watchers(relay: Stored<MailRelay>): readonly NetworkPeer[] {
  return relay.spec.monitoring?.from?.map(peerOf) ?? [{ podSelector: {} }];
}

function operatorPeer(namespace: string): NetworkPeer {
  return {
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
    podSelector: { matchLabels: { [nameLabel]: "mailboat", [componentLabel]: "operator" } },
  };
}
