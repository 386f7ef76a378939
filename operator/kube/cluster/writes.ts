/**
 * Writes to the API server: only what differs, each with the narrowest verb, its answer in the caches at once. The uid of
 * what was looked at goes along, so that nothing meant for an object that is gone reaches another of its name.
 */
import { finalizerFieldManager, objectFieldManager, statusFieldManager } from "../../../api/labels.ts";
import type { Client } from "../client/client.ts";
import { isFailure, isStoredAwry, RequestError } from "../client/failure.ts";
import type { RawMetadata, RawObject } from "../client/resource.ts";
import { ForbiddenError, keyOf, type MetadataChange, type Reference, RejectedError } from "../kube.ts";
import type { AppliedObject, Secret } from "../objects.ts";
import { textDigest } from "../shard.ts";
import { digestOf, project } from "./difference.ts";
import { refuseForeign } from "./foreign.ts";
import { InForce, signed } from "./inforce.ts";
import { type Changes, Merges } from "./merges.ts";
import { ownerIn } from "./owner.ts";
import type { ClusterReads } from "./reads.ts";
import { resourceOf, secretResource } from "./resources.ts";

interface Status {
  /** Digests of what was wanted and of what the server made of it. */
  readonly wish: string;
  readonly answer: string;
}

export class ClusterWrites {
  readonly #reads: ClusterReads;
  readonly #client: Client;
  readonly #inForce = new InForce();
  readonly #statuses = new Map<string, Status>();
  readonly #merges = new Merges((secret, changes) => this.#mergeNow(secret, changes));

  constructor(reads: ClusterReads, client: Client) {
    this.#reads = reads;
    this.#client = client;
    reads.onChange((change) => {
      if (change.what !== "object" || change.after !== undefined) return;
      const key = keyOf(change);
      this.#inForce.forget(key);
      this.#statuses.delete(key);
    });
  }

  async apply(object: AppliedObject): Promise<void> {
    const { kind } = object;
    const wanted = signed(wishOf(object));
    const reference: Reference = { kind, namespace: object.metadata.namespace, name: object.metadata.name };
    const known = await this.#reads.known(reference);
    if (known !== undefined && this.#inForce.hasHeld(keyOf(reference), wanted, known)) return;
    const actual = await this.#reads.whole(reference);
    if (actual !== undefined) {
      if (this.#inForce.holds(keyOf(reference), wanted, actual)) return;
      refuseForeign(reference, actual, ownerIn(wanted, reference.namespace));
    }
    const options = { fieldManager: objectFieldManager };
    const answer = await this.#written(reference, () => this.#client.apply(resourceOf(kind), wanted, options));
    this.#inForce.written(keyOf(reference), wanted, answer);
  }

  async mark(reference: Reference, change: MetadataChange): Promise<void> {
    const actual = await this.#reads.known(reference);
    if (actual === undefined) return;
    const { uid } = actual.metadata;
    const labels = patchOf(change.labels, actual.metadata.labels);
    const annotations = patchOf(change.annotations, actual.metadata.annotations);
    if (labels === undefined && annotations === undefined) return;
    await this.#patch(reference, { metadata: present({ uid, labels, annotations }) }, objectFieldManager);
  }

  async growClaim(claim: { readonly namespace: string; readonly name: string }, size: string): Promise<void> {
    const reference: Reference = { kind: "PersistentVolumeClaim", ...claim };
    const actual = await this.#reads.known(reference);
    if (actual === undefined) return;
    const spec = { resources: { requests: { storage: size } } };
    if (digestOf(project(spec, actual["spec"])) === digestOf(spec)) return;
    try {
      const { uid } = actual.metadata;
      await this.#patch(reference, { metadata: { uid }, spec }, objectFieldManager);
    } catch (error) {
      // A storage class that does not allow growth is answered 403, like a right that is missing.
      throw error instanceof ForbiddenError ? new RejectedError(error.message, { cause: error }) : error;
    }
  }

  /** The list is replaced whole: the resourceVersion guards what others put there meanwhile. */
  async setFinalizer(reference: Reference, finalizer: string, isPresent: boolean): Promise<void> {
    const actual = await this.#reads.known(reference);
    const list = finalizersOf(actual);
    if (actual === undefined || list.includes(finalizer) === isPresent) return;
    const finalizers = isPresent ? [...list, finalizer] : list.filter((one) => one !== finalizer);
    const { uid, resourceVersion } = actual.metadata;
    await this.#patch(reference, { metadata: { uid, resourceVersion, finalizers } }, finalizerFieldManager);
  }

  async mergeSecret(secret: Secret, changes: Changes): Promise<void> {
    await this.#merges.merge(secret, changes);
  }

  async #mergeNow(secret: Secret, changes: Changes): Promise<void> {
    const { namespace, name } = secret.metadata;
    const known = await this.#reads.secrets.metadata(namespace, name);
    if (known !== undefined && (await this.#merge(secret, known, changes))) return;
    const data = Object.entries(changes).flatMap(([key, text]) =>
      text === undefined ? [] : [[key, base64(text)] as const],
    );
    if (data.length === 0) return;
    const made = wishOf({ ...secret, data: Object.fromEntries(data) });
    const create = (): Promise<RawObject> => this.#client.create(secretResource, made, objectFieldManager);
    await this.#written({ kind: "Secret", namespace, name }, create);
  }

  /** A cache that lags behind, as a new leader's does, knows nothing of a Secret that is there: the server decides. */
  async createSecret(secret: Secret): Promise<boolean> {
    const { namespace, name } = secret.metadata;
    const reference: Reference = { kind: "Secret", namespace, name };
    const wanted = signed(wishOf(secret));
    try {
      const make = (): Promise<RawObject> => this.#client.create(secretResource, wanted, objectFieldManager);
      await this.#written(reference, make);
      return true;
    } catch (error) {
      if (!isFailure(error, "AlreadyExists")) throw error;
    }
    const there = await this.#refreshed(reference);
    if (there === undefined) return false;
    refuseForeign(reference, there, ownerIn(wanted, namespace));
    const lacking = Object.keys(secret.metadata.labels ?? {}).filter((key) => !there.metadata.labels?.[key]);
    if (lacking.length === 0) return false;
    throw new RejectedError(
      `Secret ${namespace}/${name} is there without the label ${lacking.join(", ")}: put it back, or delete the Secret`,
      { refusedFor: "name" },
    );
  }

  async replaceSecret(read: Secret, secret: Secret): Promise<boolean> {
    const { namespace, name, uid, resourceVersion } = read.metadata;
    const reference: Reference = { kind: "Secret", namespace, name };
    const wanted = signed(wishOf(secret));
    const known = await this.#reads.known(reference);
    if (known === undefined) return false;
    refuseForeign(reference, known, ownerIn(wanted, namespace));
    const guard = {
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    };
    const guarded = { ...wanted, metadata: { ...wanted.metadata, ...guard } };
    const options = { fieldManager: objectFieldManager };
    try {
      const write = (): Promise<RawObject> => this.#client.apply(secretResource, guarded, options);
      await this.#written(reference, write);
      return true;
    } catch (error) {
      if (!isFailure(error, "Conflict") && !isFailure(error, "NotFound")) throw error;
      await this.#refreshed(reference);
      return false;
    }
  }

  async adoptSecret({ metadata }: Pick<Secret, "metadata">): Promise<void> {
    const { namespace, name, uid, labels, ownerReferences } = metadata;
    const body = { metadata: present({ uid, labels, ownerReferences }) };
    await this.#patch({ kind: "Secret", namespace, name }, body, objectFieldManager);
  }

  /** As the server has it now, also for the next read. */
  async #refreshed(reference: Reference): Promise<RawObject | undefined> {
    const { namespace, name } = reference;
    const there = await this.#client.get(secretResource, { namespace, name });
    if (there !== undefined) this.#reads.offer("Secret", there);
    return there;
  }

  async remove(reference: Reference): Promise<void> {
    const actual = await this.#reads.known(reference);
    if (actual === undefined) return;
    const { kind, namespace, name } = reference;
    const { uid } = actual.metadata;
    try {
      await this.#sent(reference, () => this.#client.delete(resourceOf(kind), { namespace, name }, { uid }));
    } catch (error) {
      // Another of the same name is there by now: the watch tells of it.
      if (!isFailure(error, "Conflict")) throw error;
    }
  }

  async applyStatus(reference: Reference, uid: string | undefined, status: object): Promise<void> {
    const key = keyOf(reference);
    const { kind, namespace, name } = reference;
    const wish = digestOf(status);
    const seen = await this.#statusDigest(reference);
    const last = this.#statuses.get(key);
    // Others may keep conditions beside ours: then what the server answered to the same wish is the measure.
    if (seen === wish || (last !== undefined && last.wish === wish && last.answer === seen)) return;
    const { apiVersion } = resourceOf(kind);
    const wanted: RawObject = { apiVersion, kind, metadata: present({ namespace, name, uid }), status };
    const options = { fieldManager: statusFieldManager, subresource: "status" } as const;
    const place = { namespace, name, subresource: "status" };
    const body = { metadata: present({ uid }), status };
    try {
      const apply = (): Promise<RawObject> => this.#client.apply(resourceOf(kind), wanted, options);
      const merge = (): Promise<RawObject> =>
        this.#client.mergePatch(resourceOf(kind), place, { body, fieldManager: statusFieldManager });
      // A spec that was stored under another definition may keep the server from any apply, but not from a merge.
      const write = (): Promise<RawObject> =>
        apply().catch((error: unknown) => (isStoredAwry(error) ? merge() : fail(error)));
      await this.#written(reference, write);
    } catch (error) {
      // Deleted meanwhile: nobody reads it any more.
      if (isFailure(error, "NotFound")) return;
      throw error;
    }
    this.#statuses.set(key, { wish, answer: await this.#statusDigest(reference) });
  }

  async #statusDigest(reference: Reference): Promise<string> {
    const digest = (await this.#reads.known(reference))?.["statusDigest"];
    return typeof digest === "string" ? digest : "";
  }

  /** False when it is gone. */
  async #merge(secret: Secret, known: RawObject, changes: Changes): Promise<boolean> {
    const { namespace, name, labels, ownerReferences } = secret.metadata;
    refuseForeign({ kind: "Secret", namespace, name }, known, ownerIn(secret, namespace));
    const metadata = present({ labels, ownerReferences });
    const isKept = digestOf(project(metadata, known.metadata)) === digestOf(metadata);
    const data = await this.#differing(secret, changes);
    if (data.length === 0 && isKept) return true;
    const { uid } = known.metadata;
    const body = { metadata: present({ uid, ...(isKept ? {} : metadata) }), data: Object.fromEntries(data) };
    return this.#patch({ kind: "Secret", namespace, name }, body, objectFieldManager);
  }

  /** Data keys that are not as they should be, in base64; null takes one away. */
  async #differing(secret: Secret, changes: Changes): Promise<readonly (readonly [string, string | null])[]> {
    const { namespace, name } = secret.metadata;
    const documents = await this.#reads.secrets.documents(namespace, name);
    return Object.entries(changes).flatMap(([key, text]) => {
      const wanted = text === undefined ? undefined : textDigest(text);
      if (documents.get(key) === wanted) return [];
      return [[key, text === undefined ? null : base64(text)] as const];
    });
  }

  /** Sends a write, and gives its answer to the caches; of a Secret, with the data keys that it names. */
  async #written(
    reference: Reference,
    send: () => Promise<RawObject>,
    dataKeys: readonly string[] = [],
  ): Promise<RawObject> {
    const { kind } = reference;
    const write = async (): Promise<RawObject> => {
      const answer = await this.#sent(reference, send);
      this.#reads.offer(kind, answer, dataKeys);
      return answer;
    };
    return kind === "Secret" ? this.#reads.secrets.writing(reference, write) : write();
  }

  async #sent<T>({ kind, namespace }: Reference, write: () => Promise<T>): Promise<T> {
    try {
      return await sent(write);
    } catch (error) {
      if (kind === "Secret" && error instanceof ForbiddenError) this.#reads.denied(namespace, error.message);
      throw error;
    }
  }

  /** False when it is gone. */
  async #patch(reference: Reference, body: Readonly<Record<string, unknown>>, fieldManager: string): Promise<boolean> {
    const { kind, namespace, name } = reference;
    try {
      const patch = { body, fieldManager };
      const send = (): Promise<RawObject> => this.#client.mergePatch(resourceOf(kind), { namespace, name }, patch);
      await this.#written(reference, send, Object.keys(body["data"] ?? {}));
      return true;
    } catch (error) {
      if (isFailure(error, "NotFound")) return false;
      throw error;
    }
  }
}

function fail(error: unknown): never {
  throw error;
}

/** Failures that a reconciler can tell a person about, in the words of its interface. */
async function sent<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    if (error.kind === "Invalid") throw new RejectedError(error.said, { cause: error });
    if (error.kind !== "Forbidden") throw error;
    // 403 stands for missing rights, and for quota, admission policies and namespaces that end.
    const isRight = / cannot \w+ resource /.test(error.said);
    if (isRight) throw new ForbiddenError(error.said, { cause: error });
    throw new RejectedError(error.said, { refusedFor: "place", cause: error });
  }
}

/** An object without what only the server says. */
function wishOf(object: AppliedObject): RawObject {
  const { name, namespace, labels, annotations, ownerReferences } = object.metadata;
  return { ...object, metadata: present({ name, namespace, labels, annotations, ownerReferences }) };
}

function present<T extends object>(metadata: T): RawMetadata & T {
  const entries = Object.entries(metadata).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as RawMetadata & T;
}

/** RFC 7396: null takes away. Undefined when all is as it should be. */
function patchOf(changes: Changes = {}, actual: Changes = {}): Readonly<Record<string, string | null>> | undefined {
  const differing = Object.entries(changes).filter(([key, value]) => actual[key] !== value);
  return differing.length === 0 ? undefined : Object.fromEntries(differing.map(([key, value]) => [key, value ?? null]));
}

function finalizersOf(object: RawObject | undefined): readonly string[] {
  const list = object?.metadata["finalizers"];
  return Array.isArray(list) ? list.filter((one) => typeof one === "string") : [];
}

function base64(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}
