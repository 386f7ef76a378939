/** The Secret of one shard: documents of sender domains, one data key each. Reconciles of SenderDomains fill it. */
import { shardLabel } from "../../../api/labels.ts";
import type { MailRelay } from "../../../api/mailrelay.ts";
import type { Secret, Stored } from "../../kube/objects.ts";
import { shardSecretName } from "./names.ts";
import { ownedMetadata } from "./owned.ts";

export function renderShard(relay: Stored<MailRelay>, shard: string): Secret {
  const metadata = ownedMetadata(relay, shardSecretName(relay.metadata.name, shard));
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { ...metadata, labels: { ...metadata.labels, [shardLabel]: shard } },
    type: "Opaque",
    data: {},
  };
}
