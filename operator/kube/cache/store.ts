/**
 * Objects of one resource by key, with indexes. What is older than what is there is never taken, whichever way it comes:
 * by watch, by list, or as the answer to a write of our own (`offer`), which a reconcile sees at once and the watch
 * tells later. Every difference is told to one listener as before and after.
 */
import { compareVersions, type RawMetadata } from "../client/resource.ts";
import { KeyIndex } from "./keyindex.ts";

/** What a store keeps of an object. */
export interface Kept {
  readonly metadata: RawMetadata;
}

export interface Change<T> {
  /** `namespace/name`, or `name` where there are no namespaces. */
  readonly key: string;
  readonly before: T | undefined;
  readonly after: T | undefined;
}

/** Values under which an object is found. */
export type Index<T> = (object: T) => readonly string[];

export interface StoreSettings<T> {
  readonly indexes?: Readonly<Record<string, Index<T>>>;
  /** Values of which only the number of objects that have them is kept. */
  readonly counted?: Index<T> | undefined;
  readonly onChange?: (change: Change<T>) => void;
}

export function storeKey(metadata: { readonly namespace?: string; readonly name: string }): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
}

export class Store<T extends Kept> {
  readonly #objects = new Map<string, T>();
  readonly #indexes: readonly (readonly [string, Index<T>])[];
  readonly #found: ReadonlyMap<string, KeyIndex>;
  readonly #counted: Index<T>;
  readonly #counts = new Map<string, number>();
  readonly #onChange: (change: Change<T>) => void;
  /** Everything up to here has been told by list or watch. */
  #version = "0";

  constructor(settings: StoreSettings<T> = {}) {
    this.#indexes = Object.entries(settings.indexes ?? {});
    this.#found = new Map(this.#indexes.map(([name]) => [name, new KeyIndex()]));
    this.#counted = settings.counted ?? ((): readonly string[] => []);
    this.#onChange = settings.onChange ?? ((): void => {});
  }

  get size(): number {
    return this.#objects.size;
  }

  /** How many objects have each of the values that are counted. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  get version(): string {
    return this.#version;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  values(): IterableIterator<T> {
    return this.#objects.values();
  }

  /** Objects that the index finds under the value, in order of their keys. */
  find(index: string, value: string): readonly T[] {
    const keys = this.#found.get(index)?.find(value) ?? [];
    return keys.flatMap((key) => this.#objects.get(key) ?? []);
  }

  /** Whether the index finds anything under the value. */
  holds(index: string, value: string): boolean {
    return this.#found.get(index)?.has(value) === true;
  }

  /** From the watch. */
  put(object: T): void {
    const version = object.metadata.resourceVersion ?? "0";
    this.advance(version);
    const before = this.#objects.get(storeKey(object.metadata));
    if (before === undefined || compareVersions(versionOf(before), version) < 0) this.#set(object, before);
  }

  /** From the watch: the object as it was last, with the resourceVersion of its deletion. */
  delete(metadata: RawMetadata): void {
    const version = metadata.resourceVersion ?? "0";
    this.advance(version);
    const key = storeKey(metadata);
    const before = this.#objects.get(key);
    // A newer one of the same name, known from our own write, stays.
    if (before !== undefined && compareVersions(versionOf(before), version) <= 0) this.#remove(key, before);
  }

  /** The answer to a write. What the watch has told already, a deletion included, it does not undo. */
  offer(object: T): void {
    const version = object.metadata.resourceVersion ?? "0";
    const before = this.#objects.get(storeKey(object.metadata));
    if (compareVersions(before === undefined ? this.#version : versionOf(before), version) >= 0) return;
    this.#set(object, before);
  }

  /** The whole content as a list saw it. What is gone from it is deleted, unless it is newer than the list. */
  replace(objects: ReadonlyMap<string, T>, version: string): void {
    for (const [key, before] of this.#objects) {
      if (!objects.has(key) && compareVersions(versionOf(before), version) <= 0) this.#remove(key, before);
    }
    for (const object of objects.values()) {
      const before = this.#objects.get(storeKey(object.metadata));
      if (before === undefined || compareVersions(versionOf(before), versionOf(object)) < 0) this.#set(object, before);
    }
    this.#version = version;
  }

  /** From a bookmark. */
  advance(version: string): void {
    if (compareVersions(this.#version, version) < 0) this.#version = version;
  }

  #set(object: T, before: T | undefined): void {
    const key = storeKey(object.metadata);
    if (before !== undefined) this.#unindex(key, before);
    this.#objects.set(key, object);
    for (const [name, index] of this.#indexes)
      for (const value of index(object)) this.#found.get(name)?.add(value, key);
    for (const value of this.#counted(object)) this.#count(value, 1);
    this.#onChange({ key, before, after: object });
  }

  #remove(key: string, before: T): void {
    this.#unindex(key, before);
    this.#objects.delete(key);
    this.#onChange({ key, before, after: undefined });
  }

  #unindex(key: string, object: T): void {
    for (const [name, index] of this.#indexes) {
      for (const value of index(object)) this.#found.get(name)?.delete(value, key);
    }
    for (const value of this.#counted(object)) this.#count(value, -1);
  }

  #count(value: string, change: 1 | -1): void {
    const count = (this.#counts.get(value) ?? 0) + change;
    if (count === 0) this.#counts.delete(value);
    else this.#counts.set(value, count);
  }
}

function versionOf(object: Kept): string {
  return object.metadata.resourceVersion ?? "0";
}
