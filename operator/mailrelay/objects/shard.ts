/** The Secret of one shard: documents of sender domains, one data key each. Reconciles of SenderDomains fill it. */
import { labelsFor, shardLabel } from "../../../api/labels.ts";
import type { MailRelay } from "../../../api/mailrelay.ts";
import type { Secret, Stored } from "../../kube/objects.ts";
import { ownerOf } from "../world.ts";
import { shardSecretName } from "./names.ts";

export function renderShard(relay: Stored<MailRelay>, shard: string): Secret {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: shardSecretName(relay.metadata.name, shard),
      namespace: relay.metadata.namespace,
      labels: { ...labelsFor(relay.metadata.name), [shardLabel]: shard },
      ownerReferences: [ownerOf(relay)],
    },
    type: "Opaque",
    data: {},
  };
}
