/** What every object of a relay has in its metadata: its labels, and the relay as owner so that it goes with it. */
import { labelsFor } from "../../api/labels.ts";
import type { MailRelay } from "../../api/mailrelay.ts";
import type { ObjectMeta, Stored } from "../kube/objects.ts";
import { ownerOf } from "./owner.ts";

export function ownedMetadata(relay: Stored<MailRelay>, name: string): ObjectMeta {
  return {
    name,
    namespace: relay.metadata.namespace,
    labels: labelsFor(relay.metadata.name),
    ownerReferences: [ownerOf(relay)],
  };
}
