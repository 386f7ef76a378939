/**
 * What a standby follows before anything is looked at: the Secrets (metadata alone) of the namespaces in which resources ask
 * for some, so that it leads without listing hundreds of namespaces first. Their content is read by whoever leads.
 */
import type { ClusterReads } from "../kube/cluster/reads.ts";
import type { Kind } from "../kube/objects.ts";
import { asKind } from "../kube/cluster/views.ts";
import type { RawObject } from "../kube/client/resource.ts";
import { domainReferences, domainSelections } from "../senderdomain/references.ts";

export interface WarmSettings {
  readonly reads: ClusterReads;
  readonly operatorNamespace: string;
  /** Reconciles follow what they need by themselves. */
  readonly isOver: () => boolean;
}

export function keepWarm({ reads, operatorNamespace, isOver }: WarmSettings): void {
  const prepare = (kind: Kind, object: RawObject): void => {
    if (asksForSecrets(kind, object)) reads.secrets.prepare(object.metadata.namespace ?? "");
  };
  const kinds = ["MailRelay", "SenderDomain"] as const;
  if (kinds.some((kind) => reads.list(kind, {}).length > 0)) reads.secrets.prepare(operatorNamespace);
  for (const kind of kinds) for (const object of reads.list(kind, {})) prepare(kind, object);
  reads.onChange((change) => {
    if (change.what === "object" && change.after !== undefined && !isOver()) prepare(change.kind, change.after);
  });
}

/** A namespace whose owner gave no right to its Secrets is left alone where nothing names one. */
function asksForSecrets(kind: Kind, object: RawObject): boolean {
  if (kind === "MailRelay") return true;
  // Of one whose spec cannot be read nothing is asked.
  if (kind !== "SenderDomain" || object["spec"] === undefined) return false;
  const domain = asKind<"SenderDomain">(object);
  return domainReferences(domain).some((one) => one.kind === "Secret") || domainSelections(domain).length > 0;
}
