/** The Services of a relay: one that clients dial, and one that gives every pod a name. */
import { administrationPort, administrationPortName } from "../../../api/administration.ts";
import { containerPort } from "../../../api/fields/listener.ts";
import { relayLabel, servingLabel } from "../../../api/labels.ts";
import type { MailRelay } from "../../../api/mailrelay.ts";
import { networkOf } from "../../../api/schema/network.ts";
import type { Service, ServicePort } from "../../kube/kinds.ts";
import type { Stored } from "../../kube/objects.ts";
import { headlessServiceName } from "../../owned/names.ts";
import { ownedMetadata } from "../../owned/metadata.ts";
import { httpPort } from "./podtemplate.ts";

/** Selects pods that serve: one that is about to leave loses the label first and gets no new connection. */
export function renderClientService(relay: Stored<MailRelay>, present?: Service): Service {
  const { service } = relay.spec;
  const ipFamilies = familiesOf(service, present);
  const own = ownedMetadata(relay, relay.metadata.name);
  // Ours come last: caches and people find the Service by them.
  const metadata = service.labels === undefined ? own : { ...own, labels: { ...service.labels, ...own.labels } };
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata:
      Object.keys(service.annotations).length === 0 ? metadata : { ...metadata, annotations: service.annotations },
    spec: {
      type: service.type,
      selector: { [relayLabel]: relay.metadata.name, [servingLabel]: "true" },
      ports: listenerPorts(relay, (port) => port),
      ...(service.externalTrafficPolicy === undefined ? {} : { externalTrafficPolicy: service.externalTrafficPolicy }),
      ...(service.loadBalancerClass === undefined ? {} : { loadBalancerClass: service.loadBalancerClass }),
      ...(service.loadBalancerSourceRanges.length === 0
        ? {}
        : { loadBalancerSourceRanges: service.loadBalancerSourceRanges.map(networkOf) }),
      ...(service.ipFamilyPolicy === undefined ? {} : { ipFamilyPolicy: service.ipFamilyPolicy }),
      ...(ipFamilies === undefined ? {} : { ipFamilies }),
      ...(service.internalTrafficPolicy === undefined ? {} : { internalTrafficPolicy: service.internalTrafficPolicy }),
    },
  };
}

/** The API server adds a second family where both are wished for, and refuses to be asked for the first alone from then on. */
function familiesOf(
  { ipFamilies, ipFamilyPolicy }: MailRelay["spec"]["service"],
  present: Service | undefined,
): Service["spec"]["ipFamilies"] {
  const given = present?.spec.ipFamilies ?? [];
  const isFirst = ipFamilies?.every((family, index) => given[index] === family) === true;
  const wishesBoth = ipFamilyPolicy === "PreferDualStack" || ipFamilyPolicy === "RequireDualStack";
  return isFirst && wishesBoth ? given : ipFamilies;
}

/** Names pods that are not ready too: whoever asks for a pod by name wants exactly that one. */
export function renderHeadlessService(relay: Stored<MailRelay>): Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: ownedMetadata(relay, headlessServiceName(relay.metadata.name)),
    spec: {
      type: "ClusterIP",
      clusterIP: "None",
      publishNotReadyAddresses: true,
      selector: { [relayLabel]: relay.metadata.name },
      ports: [
        ...listenerPorts(relay, containerPort),
        { name: "http", port: httpPort, targetPort: httpPort, protocol: "TCP" },
        {
          name: administrationPortName,
          port: administrationPort,
          targetPort: administrationPort,
          protocol: "TCP",
        },
      ],
    },
  };
}

/** Ports by number, not by name: a Service must not wait for pods to know a new listener's name. */
function listenerPorts(relay: Stored<MailRelay>, outside: (port: number) => number): readonly ServicePort[] {
  return relay.spec.listeners.map(({ name, port }) => ({
    name,
    port: outside(port),
    targetPort: containerPort(port),
    protocol: "TCP",
    // In SMTP the server speaks first: a mesh that waits for the client to say which protocol it is would wait for ever.
    appProtocol: "tcp",
  }));
}

/** Where clients reach it, the load balancer's first; nothing while that has none yet. */
export function addressesOf(service: Service | undefined): readonly string[] {
  if (service === undefined) return [];
  const { type, clusterIP, clusterIPs = clusterIP === undefined ? [] : [clusterIP] } = service.spec;
  if (type !== "LoadBalancer") return clusterIPs;
  return (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }) => ip ?? hostname ?? []);
}
