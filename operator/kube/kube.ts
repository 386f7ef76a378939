/**
 * All that the reconcilers know of an API server. `operator/local` implements it over a folder; a cluster's client
 * will. Reads come from a cache and cost nothing; writes are idempotent and change nothing when nothing differs.
 */
import type { Kind, KindMap, Secret, StatefulSet } from "./objects.ts";

export interface Reference {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
}

export interface ListOptions {
  readonly namespace?: string;
  /** Labels that an object must carry, all of them. */
  readonly labels?: Readonly<Record<string, string>>;
}

export interface KubeEvent {
  readonly regarding: Reference;
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly note: string;
}

export interface Kube {
  get<K extends Kind>(kind: K, namespace: string, name: string): Promise<KindMap[K] | undefined>;
  list<K extends Kind>(kind: K, options?: ListOptions): Promise<readonly KindMap[K][]>;
  namespaceLabels(namespace: string): Promise<Readonly<Record<string, string>>>;
  /** Makes the object be as given (server-side apply with the operator's field manager). */
  apply(object: Secret | StatefulSet): Promise<void>;
  /** Sets (text) or removes (undefined) single data keys of a Secret and leaves the others as they are. */
  mergeSecret(secret: Secret, changes: Readonly<Record<string, string | undefined>>): Promise<void>;
  /** Gone already is success. */
  remove(reference: Reference): Promise<void>;
  applyStatus<K extends "MailRelay" | "SenderDomain">(
    kind: K,
    object: KindMap[K],
    status: NonNullable<KindMap[K]["status"]>,
  ): Promise<void>;
  emit(event: KubeEvent): Promise<void>;
  /** Hears the key of whatever changed, never its content: a reconcile reads the world again. */
  onChange(listener: ChangeListener): void;
}

/** `owner` is the key of the resource of ours that the changed object was made for; it alone looks at it. */
export type ChangeListener = (changed: Reference, owner: Reference | undefined) => void;

/** `namespace/name`, as people and grants spell it. */
export function nameOf(metadata: { readonly namespace: string; readonly name: string }): string {
  return `${metadata.namespace}/${metadata.name}`;
}

export function keyOf(reference: Reference): string {
  return `${reference.kind}/${reference.namespace}/${reference.name}`;
}
