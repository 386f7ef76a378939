/** The StatefulSet of a relay: pods that keep their names, each with a spool of its own that outlives it. */
import { generationAnnotation, labelsFor, relayLabel, rolloutAnnotation } from "../../../api/labels.ts";
import type { MailRelay } from "../../../api/mailrelay.ts";
import type { StatefulSet, VolumeClaimTemplate } from "../../kube/kinds.ts";
import type { Stored } from "../../kube/objects.ts";
import type { PodDefaults } from "../../installation/installation.ts";
import { headlessServiceName, spoolVolume } from "../../owned/names.ts";
import { ownedMetadata } from "../../owned/metadata.ts";
import { renderPodTemplate } from "./podtemplate.ts";

export interface StatefulSetContent {
  readonly relay: Stored<MailRelay>;
  readonly image: string;
  readonly pods?: PodDefaults;
  readonly replicas: number;
  /** What there is now: claim templates cannot change, volumes grow by their claims. */
  readonly present: StatefulSet | undefined;
  /** At whose instance its template was written last; absent where nobody knows. */
  readonly instance?: string | undefined;
}

export function renderStatefulSet(content: StatefulSetContent): StatefulSet {
  const { relay, present, instance } = content;
  const { name, generation } = relay.metadata;
  const annotations = {
    ...(generation === undefined ? {} : { [generationAnnotation]: String(generation) }),
    ...(instance === undefined ? {} : { [rolloutAnnotation]: instance }),
  };
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { ...ownedMetadata(relay, name), annotations },
    spec: {
      replicas: content.replicas,
      serviceName: headlessServiceName(name),
      podManagementPolicy: "Parallel",
      // Parallel speaks of starting and scaling; a new template goes through one pod at a time all the same.
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } },
      // A volume goes only once its spool is proven empty, and never because a pod did.
      persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
      revisionHistoryLimit: 3,
      selector: { matchLabels: { [relayLabel]: name } },
      template: renderPodTemplate(relay, content.image, content.pods),
      volumeClaimTemplates: [spoolClaim(relay, present?.spec.volumeClaimTemplates[0])],
    },
  };
}

function spoolClaim(relay: Stored<MailRelay>, present: VolumeClaimTemplate | undefined): VolumeClaimTemplate {
  const { size, storageClassName } = relay.spec.spool.storage;
  const kept = present?.spec.storageClassName ?? (present === undefined ? storageClassName : undefined);
  return {
    metadata: { name: spoolVolume, labels: present?.metadata.labels ?? labelsFor(relay.metadata.name) },
    spec: {
      accessModes: ["ReadWriteOnce"],
      ...(kept === undefined ? {} : { storageClassName: kept }),
      resources: { requests: { storage: present?.spec.resources.requests.storage ?? size } },
    },
  };
}
