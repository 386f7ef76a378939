/**
 * All that the reconcilers know of an API server. `local` implements it over a folder; a cluster's client
 * will. Reads come from a cache and cost nothing; writes are idempotent and change nothing when nothing differs.
 */
import type { AppliedObject, Kind, KindMap, Misfit, OptionalKind, Secret, WrittenKind } from "./objects.ts";
import type { Labels, Selector } from "./selector.ts";
import type { ShardFact } from "./shard.ts";

/** Of what the operator may write, where nothing else is said: ConfigMaps are only read. */
export interface Reference<K extends Kind = WrittenKind> {
  readonly kind: K;
  readonly namespace: string;
  readonly name: string;
}

export interface ListOptions {
  readonly namespace?: string;
  /** Labels that an object must carry, all of them. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Labels again, as manifests select them. Secrets that do not match are not read at all. */
  readonly selector?: Selector;
  /** Of SenderDomains only: `namespace/name` of the MailRelay they refer to. An index answers it. */
  readonly relay?: string;
  /** Of SenderDomains only, together with `relay`: the domain they bring. */
  readonly domain?: string;
}

export interface KubeEvent {
  readonly regarding: Reference;
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly note: string;
}

/** Labels and annotations to set (text) or remove (undefined). */
export interface MetadataChange {
  readonly labels?: Readonly<Record<string, string | undefined>>;
  readonly annotations?: Readonly<Record<string, string | undefined>>;
}

/** What of a namespace the caches hold. */
export type Sight =
  | { readonly kind: "whole" }
  /** It is not among the namespaces that are watched. */
  | { readonly kind: "outside" }
  /** It does not exist. */
  | { readonly kind: "gone" }
  /** A right is missing: of these kinds nothing is known there, or nothing new. */
  | { readonly kind: "part"; readonly hidden: ReadonlySet<Kind> };

/** Whether objects of the kind may be there and not be seen. */
export function hides(sight: Sight, kind: Kind): boolean {
  return sight.kind === "outside" || (sight.kind === "part" && sight.hidden.has(kind));
}

/** How it stands with a kind of others: `unanswered` where the server has said neither, and will be asked again. */
export type Standing = "served" | "absent" | "forbidden" | "unanswered";

/** What the API server says of itself as the issuer of ServiceAccounts' tokens, as it sent it. */
export interface TokenIssuerAnswers {
  /** OpenID Connect Discovery 1.0 section 4. */
  readonly discovery: unknown;
  /** RFC 7517 section 5. */
  readonly keys: unknown;
}

export interface Kube {
  /** `get` and `list` throw ForbiddenError where RBAC does not allow the read. */
  get<K extends Kind>(kind: K, namespace: string, name: string): Promise<KindMap[K] | undefined>;
  list<K extends WrittenKind>(kind: K, options?: ListOptions): Promise<readonly KindMap[K][]>;
  /** A resource of ours that `get` does not give although it is there, because its spec cannot be read. */
  misfit<K extends "MailRelay" | "SenderDomain">(
    kind: K,
    namespace: string,
    name: string,
  ): Promise<Misfit<K> | undefined>;
  /** Shards of a MailRelay that exist, by shard name. Throws ForbiddenError like `list`. */
  shards(relay: { readonly namespace: string; readonly name: string }): Promise<ReadonlyMap<string, ShardFact>>;
  /** Undefined where RBAC does not allow the operator to see namespaces. */
  namespaceLabels(namespace: string): Promise<Labels | undefined>;
  /** Makes the object be as given (server-side apply with the operator's field manager). */
  apply(object: AppliedObject): Promise<void>;
  /** How much of a namespace is seen now; rights to it may come and go. */
  sight(namespace: string): Sight;
  /** Whether the cluster knows the kind now; its definition, and the right to it, may come and go. Never rejects. */
  serves(kind: OptionalKind, namespace: string): Promise<Standing>;
  /** Changes single labels and annotations and leaves the others as they are. Gone already is success. */
  mark(reference: Reference, change: MetadataChange): Promise<void>;
  /** Asks for a larger volume. Throws RejectedError when the storage class does not allow it. */
  growClaim(namespace: string, name: string, size: string): Promise<void>;
  /** Puts a finalizer of ours on a resource of ours, or takes it off; others stay. */
  setFinalizer(reference: Reference, finalizer: string, isPresent: boolean): Promise<void>;
  /** Sets (text) or removes (undefined) single data keys of a Secret and leaves the others as they are. */
  mergeSecret(secret: Secret, changes: Readonly<Record<string, string | undefined>>): Promise<void>;
  /**
   * Makes a Secret whose content nobody could bring back. Resolves to false when one of its name is there: that one stays as it
   * is, and the next read tells of it. Throws RejectedError when that one is somebody else's.
   */
  createSecret(secret: Secret): Promise<boolean>;
  /** Writes over a Secret that is still as it was read. Resolves to false when it is not: the next read tells of it. */
  replaceSecret(read: Secret, secret: Secret): Promise<boolean>;
  /** Makes labels and owners of a Secret be these; what it holds stays. */
  adoptSecret(secret: Pick<Secret, "metadata">): Promise<void>;
  /** Gone already is success. */
  remove(reference: Reference): Promise<void>;
  /** Throws RejectedError where the API server takes no write of an object that is stored as this one is. */
  applyStatus<K extends "MailRelay" | "SenderDomain">(
    kind: K,
    object: Pick<KindMap[K], "metadata">,
    status: NonNullable<KindMap[K]["status"]>,
  ): Promise<void>;
  emit(event: KubeEvent): Promise<void>;
  /** Asks the API server each time. Undefined where nobody issues tokens. Throws ForbiddenError where RBAC does not allow it. */
  tokenIssuer(): Promise<TokenIssuerAnswers | undefined>;
  /** Says that the content of these Secrets is not needed again before something changes. */
  release(namespace: string, names: readonly string[]): void;
}

/** RBAC does not allow it. */
export class ForbiddenError extends Error {
  override readonly name = "ForbiddenError";
}

/** What an object is refused for: what it says, that somebody else's has its name, or where it would be (a quota, a policy). */
export type RefusedFor = "content" | "name" | "place";

/** The API server understood and will not do it; the message is its own, for people. */
export class RejectedError extends Error {
  override readonly name = "RejectedError";
  readonly refusedFor: RefusedFor;

  constructor(message: string, options: { readonly refusedFor?: RefusedFor; readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.refusedFor = options.refusedFor ?? "content";
  }
}

/** `namespace/name`, as people and grants spell it. */
export function nameOf(metadata: { readonly namespace: string; readonly name: string }): string {
  return `${metadata.namespace}/${metadata.name}`;
}

export function keyOf(reference: Reference<Kind>): string {
  return `${reference.kind}/${reference.namespace}/${reference.name}`;
}
