/** The StatefulSet of a relay: pods with a spool of their own, and what the operator tells them as mounted Secrets. */
import { containerPort } from "../../../api/fields/listener.ts";
import { labelsFor, relayLabel } from "../../../api/labels.ts";
import type { MailRelay } from "../../../api/mailrelay.ts";
import { configurationDirectory, domainsDirectory, tlsDirectory } from "../../../api/relayconfig.ts";
import type { SecretVolume, StatefulSet, Stored, VolumeMount } from "../../kube/objects.ts";
import { ownerOf } from "../world.ts";
import { allShards, certificateSecretName, configurationSecretName, shardSecretName } from "./names.ts";

const configurationRoot = "/var/lib/mailboat/config";
const spoolDirectory = "/var/lib/mailboat/spool";
const spoolVolume = "spool";
export const httpPort = 9464;

export function renderStatefulSet(relay: Stored<MailRelay>, image: string): StatefulSet {
  const { name, namespace } = relay.metadata;
  const labels = labelsFor(name);
  const volumes = mountedSecrets(name);
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name, namespace, labels, ownerReferences: [ownerOf(relay)] },
    spec: {
      replicas: relay.spec.replicas,
      serviceName: `${name}-pods`,
      podManagementPolicy: "Parallel",
      // A volume goes only once its spool is proven empty, and never because a pod did.
      persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
      selector: { matchLabels: { [relayLabel]: name } },
      template: {
        metadata: { labels },
        spec: {
          containers: [
            {
              name: "relay",
              image,
              args: ["run"],
              env: [
                { name: "MAILBOAT_CONFIGURATION_DIR", value: configurationRoot },
                { name: "MAILBOAT_SPOOL_DIR", value: spoolDirectory },
              ],
              ports: [
                ...relay.spec.listeners.map((listener) => ({
                  name: listener.name,
                  containerPort: containerPort(listener.port),
                })),
                { name: "http", containerPort: httpPort },
              ],
              volumeMounts: [...volumes.map(({ mount }) => mount), { name: spoolVolume, mountPath: spoolDirectory }],
            },
          ],
          volumes: volumes.map(({ volume }) => volume),
        },
      },
      volumeClaimTemplates: [spoolClaim(relay)],
    },
  };
}

interface MountedSecret {
  readonly volume: SecretVolume;
  readonly mount: VolumeMount;
}

function mountedSecrets(relayName: string): readonly MountedSecret[] {
  const mounted = (name: string, secretName: string, directory: string): MountedSecret => ({
    // Optional: a domain that comes later needs no new pod. 0440: for the pod's own group alone.
    volume: { name, secret: { secretName, optional: true, defaultMode: 0o440 } },
    mount: { name, mountPath: `${configurationRoot}/${directory}`, readOnly: true },
  });
  return [
    ...allShards().map((shard) =>
      mounted(`domains-${shard}`, shardSecretName(relayName, shard), `${domainsDirectory}/${shard}`),
    ),
    mounted("tls", certificateSecretName(relayName), tlsDirectory),
    // Last, because it names the revision of all the others.
    mounted("configuration", configurationSecretName(relayName), configurationDirectory),
  ];
}

function spoolClaim(relay: Stored<MailRelay>): StatefulSet["spec"]["volumeClaimTemplates"][number] {
  const { size, storageClassName } = relay.spec.spool.storage;
  return {
    metadata: { name: spoolVolume },
    spec: {
      accessModes: ["ReadWriteOnce"],
      ...(storageClassName === undefined ? {} : { storageClassName }),
      resources: { requests: { storage: size } },
    },
  };
}
