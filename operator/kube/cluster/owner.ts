/** Which resource of ours an object was made for. Pure. */
import type { RawObject } from "../client/resource.ts";
import type { Reference } from "../kube.ts";

export function ownerOf(object: RawObject | undefined, namespace: string): Reference | undefined {
  const owners = object?.metadata["ownerReferences"];
  const list: readonly { readonly kind?: string; readonly name?: string }[] = Array.isArray(owners) ? owners : [];
  for (const { kind, name } of list) {
    if ((kind === "MailRelay" || kind === "SenderDomain") && name !== undefined) return { kind, namespace, name };
  }
  return undefined;
}
