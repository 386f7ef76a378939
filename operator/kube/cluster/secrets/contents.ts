/**
 * A memory of what Secrets and ConfigMaps hold, each good for one resourceVersion. It is kept packed: the keys of ten thousand domains have
 * to fit, because a domain is looked at several times while it comes up, and what was dropped is fetched again each time.
 * Of domains that are up little is kept: theirs is read again when something changes. A bundle of authorities that lies in every
 * namespace takes the room of one.
 */
import { createHash } from "node:crypto";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { isRecord, type RawObject } from "../../client/resource.ts";

interface Packed {
  readonly version: string;
  readonly content: Content;
}

interface Content {
  /** See pack(); metadata is known from the watch. */
  readonly bytes: Buffer;
  /** Of the bytes, where others may hold the same. */
  readonly digest?: string;
}

/** Together: of what is in use, and of what was released. */
export interface ContentLimits {
  readonly usedBytes: number;
  readonly releasedBytes: number;
}

/** What each entry costs beside its bytes. */
const entryBytes = 300;
/** Smaller ones are keys and passwords, of which no two are alike: a digest would only make each larger. */
const leastSharedBytes = 8_192;
/** A window as large as a key, so that the coder itself is small: there is nothing to find in keys but that they are base64. */
const coding = { level: 1, windowBits: 11, memLevel: 5 } as const;

export class Contents {
  readonly #used: Shelf;
  readonly #released: Shelf;

  constructor({ usedBytes, releasedBytes }: ContentLimits) {
    this.#used = new Shelf(usedBytes);
    this.#released = new Shelf(releasedBytes);
  }

  /** The type and data of that very version with its metadata; undefined when it is not remembered. */
  get(known: RawObject): RawObject | undefined {
    const key = keyOf(known);
    const entry = this.#used.get(key) ?? this.#released.get(key);
    if (entry === undefined || entry.version !== known.metadata.resourceVersion) return undefined;
    this.#put(key, entry, this.#used);
    return { ...known, ...unpack(entry.content.bytes) };
  }

  /** With data in base64. */
  keep(raw: RawObject): void {
    this.#put(keyOf(raw), { version: raw.metadata.resourceVersion ?? "", content: contentOf(pack(raw)) }, this.#used);
  }

  /** It is not needed again before something changes. */
  release(key: string): void {
    const entry = this.#used.get(key);
    if (entry !== undefined) this.#put(key, entry, this.#released);
  }

  forget(key: string): void {
    this.#used.delete(key);
    this.#released.delete(key);
  }

  /** What may not be read any more is not kept either. */
  forgetNamespace(namespace: string): void {
    for (const shelf of [this.#used, this.#released]) {
      for (const key of shelf.keys()) if (key.startsWith(`${namespace}/`)) shelf.delete(key);
    }
  }

  #put(key: string, entry: Packed, shelf: Shelf): void {
    this.forget(key);
    shelf.add(key, entry);
  }
}

/** So many bytes, of which the oldest go first. The same content of several is on it once. */
class Shelf {
  readonly #limit: number;
  /** By digest, with how many entries have it. */
  readonly #shared = new Map<string, { readonly content: Content; readonly holders: number }>();
  readonly #entries = new Map<string, Packed>();
  #bytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): Packed | undefined {
    return this.#entries.get(key);
  }

  keys(): Iterable<string> {
    return this.#entries.keys();
  }

  /** Of a key that is not there. */
  add(key: string, entry: Packed): void {
    this.#entries.set(key, { ...entry, content: this.#hold(entry.content) });
    this.#bytes += entryBytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#limit) return;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entryBytes;
    this.#letGo(entry.content);
  }

  #hold(content: Content): Content {
    const { bytes, digest } = content;
    const known = digest === undefined ? undefined : this.#shared.get(digest);
    if (known === undefined) this.#bytes += bytes.length;
    const held = known?.content ?? content;
    if (digest !== undefined) this.#shared.set(digest, { content: held, holders: (known?.holders ?? 0) + 1 });
    return held;
  }

  #letGo({ bytes, digest }: Content): void {
    const known = digest === undefined ? undefined : this.#shared.get(digest);
    if (digest !== undefined && known !== undefined && known.holders > 1) {
      this.#shared.set(digest, { ...known, holders: known.holders - 1 });
      return;
    }
    if (digest !== undefined) this.#shared.delete(digest);
    this.#bytes -= bytes.length;
  }
}

function contentOf(bytes: Buffer): Content {
  if (bytes.length < leastSharedBytes) return { bytes };
  return { bytes, digest: createHash("sha256").update(bytes).digest("base64") };
}

/** Type and data as deflated JSON, data without the base64 around it: a key is base64 already. */
function pack(raw: RawObject): Buffer {
  const data = dataOf(raw["data"], (value) => Buffer.from(value, "base64").toString("latin1"));
  const packed = deflateRawSync(JSON.stringify({ type: raw["type"], data }), coding);
  // In memory of its own: zlib answers with a part of a block that would stay as long as any part of it.
  const own = Buffer.allocUnsafeSlow(packed.length);
  packed.copy(own);
  return own;
}

function unpack(bytes: Buffer): Readonly<Record<string, unknown>> {
  const content: unknown = JSON.parse(inflateRawSync(bytes, coding).toString("utf8"));
  if (!isRecord(content)) return {};
  return { ...content, data: dataOf(content["data"], (value) => Buffer.from(value, "latin1").toString("base64")) };
}

function dataOf(data: unknown, change: (value: string) => string): Readonly<Record<string, string>> {
  const entries = isRecord(data) ? Object.entries(data) : [];
  return Object.fromEntries(
    entries.flatMap(([key, value]) => (typeof value === "string" ? [[key, change(value)]] : [])),
  );
}

export function keyOf({ metadata }: RawObject): string {
  return `${metadata.namespace}/${metadata.name}`;
}
