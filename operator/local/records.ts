/** The DNS of local mode: the TXT records that SenderDomains ask to be published, as if everybody had published them. */
import type { LocalKube } from "./kube.ts";
import type { TxtLookup } from "./verdict.ts";

/** Reads the newest status at each lookup, so that a key that was made a moment ago is there. */
export function publishedRecords(kube: Pick<LocalKube, "statusRecords">): TxtLookup {
  return (name) => kube.statusRecords().find((record) => record.type === "TXT" && record.name === name)?.value;
}
