/** Which resource of ours an object was made for. Pure. */
import type { Reference } from "../kube.ts";

/** An object as the API server or the operator spells it. */
interface Owned {
  readonly metadata: object;
}

export function ownerIn(object: Owned | undefined, namespace: string): Reference | undefined {
  const metadata = object?.metadata ?? {};
  const owners = "ownerReferences" in metadata ? metadata.ownerReferences : undefined;
  const list: readonly { readonly kind?: string; readonly name?: string }[] = Array.isArray(owners) ? owners : [];
  for (const { kind, name } of list) {
    if ((kind === "MailRelay" || kind === "SenderDomain") && name !== undefined) return { kind, namespace, name };
  }
  return undefined;
}
