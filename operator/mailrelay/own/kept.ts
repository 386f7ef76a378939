/**
 * Keeping a Secret of the operator's own that nobody could bring back: made once, renewed only as it was read. What another operator
 * made or renewed meanwhile, of which a new leader's cache may know nothing, is read again and never written over.
 */
import type { Kube } from "../../kube/kube.ts";
import type { Secret } from "../../kube/objects.ts";

export interface Kept<T> {
  readonly value: T;
  /** What is to be stored for it; undefined when it is what is stored. */
  readonly store: Secret | undefined;
}

export interface KeptPlace {
  readonly kube: Kube;
  readonly namespace: string;
  readonly name: string;
}

/** Each try begins with what the server has. */
const tries = 4;

export async function keepSecret<T>(
  { kube, namespace, name }: KeptPlace,
  decide: (present: Secret | undefined) => Promise<Kept<T>>,
): Promise<T> {
  for (let left = tries; left > 0; left -= 1) {
    const present = await kube.get("Secret", namespace, name);
    const { value, store } = await decide(present);
    if (store === undefined) return value;
    const isStored = present === undefined ? await kube.createSecret(store) : await kube.replaceSecret(present, store);
    if (isStored) return value;
  }
  throw new Error(`Secret ${namespace}/${name} was changed by others each time it was to be stored`);
}
