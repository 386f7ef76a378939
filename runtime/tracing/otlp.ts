/**
 * Ended spans as the request that an OTLP collector takes (opentelemetry.proto.collector.trace.v1, protobuf). The library's
 * own form of this walks every span twice and turns each id into an array of its own: half of what a traced message cost.
 * It cannot fail. Fields that are always zero are written as the library writes them, so that its bytes are the test's.
 */
import type { AttributeValue, SpanAttributes, SpanContext } from "./trace.ts";
import type { SpanRecord } from "./spanrecord.ts";

/** Wire types of protobuf, the low three bits of a tag. */
const varint = 0;
const fixed64 = 1;
const delimited = 2;
const fixed32 = 5;

const scopeName = "mailboat";
/** Span.flags: the second tells whether the parent is another program's, and the first that this is known. */
const knowsRemote = 0x100;
const isRemote = 0x200;
/** One request of a full batch of ours. */
const firstBytes = 256 * 1024;
/** Texts up to this length are copied here: a call into the runtime costs more. Their length takes one octet. */
const shortText = 64;

export class SpanEncoder {
  readonly #resource: SpanAttributes;
  #bytes = Buffer.allocUnsafeSlow(firstBytes);
  #at = 0;

  /** `resource`: what all spans share, such as service.name. */
  constructor(resource: SpanAttributes) {
    this.#resource = resource;
  }

  /** An ExportTraceServiceRequest. */
  encode(spans: readonly SpanRecord[]): Buffer {
    this.#at = 0;
    const resourceSpans = this.#open(1);
    const resource = this.#open(1);
    this.#attributes(1, this.#resource);
    this.#number(2, 0);
    this.#close(resource);
    const scopeSpans = this.#open(2);
    const scope = this.#open(1);
    this.#text(1, scopeName);
    this.#close(scope);
    for (const span of spans) this.#span(span);
    this.#close(scopeSpans);
    this.#close(resourceSpans);
    // A copy: the request before may still be on its way when the next one is written.
    return Buffer.from(this.#bytes.subarray(0, this.#at));
  }

  #span(span: SpanRecord): void {
    const { context, parent } = span;
    const start = this.#open(2);
    this.#ids(context);
    if (parent !== undefined) this.#id(4, parent.spanId);
    this.#text(5, span.name);
    // The library counts kinds from 0, the protocol from 1.
    this.#number(6, span.kind + 1);
    this.#time(7, span.startedAt);
    this.#time(8, span.endedAt);
    this.#attributes(9, span.attributes);
    this.#number(10, 0);
    for (const event of span.events) {
      const within = this.#open(11);
      this.#time(1, event.at);
      this.#text(2, event.name);
      this.#attributes(3, event.attributes);
      this.#number(4, 0);
      this.#close(within);
    }
    this.#number(12, 0);
    for (const link of span.links) {
      const within = this.#open(13);
      this.#ids(link);
      this.#number(5, 0);
      this.#flags(6, link, link);
      this.#close(within);
    }
    this.#number(14, 0);
    const status = this.#open(15);
    this.#number(3, span.status);
    this.#close(status);
    this.#flags(16, context, parent);
    this.#close(start);
  }

  #ids(context: SpanContext): void {
    this.#id(1, context.traceId);
    this.#id(2, context.spanId);
    const state = context.traceState?.serialize() ?? "";
    if (state !== "") this.#text(3, state);
  }

  #flags(field: number, { traceFlags }: SpanContext, remote: SpanContext | undefined): void {
    this.#tag(field, fixed32);
    this.#reserve(4);
    const flags = (traceFlags & 0xff) | knowsRemote | (remote?.isRemote === true ? isRemote : 0);
    this.#at = this.#bytes.writeUInt32LE(flags, this.#at);
  }

  #attributes(field: number, attributes: SpanAttributes): void {
    for (const key in attributes) {
      const value = attributes[key];
      if (value === undefined) continue;
      const pair = this.#open(field);
      this.#text(1, key);
      this.#value(2, value);
      this.#close(pair);
    }
  }

  #value(field: number, value: AttributeValue): void {
    const start = this.#open(field);
    if (typeof value === "string") this.#text(1, value);
    else if (typeof value === "boolean") this.#number(2, Number(value));
    else if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) this.#number(3, value);
    else if (typeof value === "number") this.#double(4, value);
    else {
      const list = this.#open(5);
      for (const item of value) this.#value(1, item);
      this.#close(list);
    }
    this.#close(start);
  }

  /** Nanoseconds since the epoch, from milliseconds with fractions. */
  #time(field: number, ms: number): void {
    this.#tag(field, fixed64);
    this.#reserve(8);
    const seconds = Math.floor(ms / 1_000);
    const nanoseconds = Math.round((ms - seconds * 1_000) * 1e6);
    const time = BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
    this.#at = this.#bytes.writeBigUInt64LE(time, this.#at);
  }

  #id(field: number, hex: string): void {
    this.#tag(field, delimited);
    this.#varint(hex.length / 2);
    this.#reserve(hex.length / 2);
    this.#at += this.#bytes.write(hex, this.#at, "hex");
  }

  #text(field: number, text: string): void {
    this.#tag(field, delimited);
    if (this.#shortText(text)) return;
    const length = Buffer.byteLength(text);
    this.#varint(length);
    this.#reserve(length);
    this.#at += this.#bytes.write(text, this.#at, "utf8");
  }

  /** False, and nothing is written, when the text is longer or not ASCII. */
  #shortText(text: string): boolean {
    const { length } = text;
    if (length > shortText) return false;
    this.#reserve(length + 1);
    const bytes = this.#bytes;
    const start = this.#at;
    for (let index = 0; index < length; index += 1) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) return false;
      bytes[start + 1 + index] = code;
    }
    bytes[start] = length;
    this.#at = start + 1 + length;
    return true;
  }

  #number(field: number, value: number): void {
    this.#tag(field, varint);
    this.#varint(value);
  }

  #double(field: number, value: number): void {
    this.#tag(field, fixed64);
    this.#reserve(8);
    this.#at = this.#bytes.writeDoubleLE(value, this.#at);
  }

  #tag(field: number, wireType: number): void {
    this.#varint(field * 8 + wireType);
  }

  /** A whole number that is not negative. */
  #varint(value: number): void {
    this.#reserve(8);
    let left = value;
    for (; left > 0x7f; left = Math.floor(left / 128)) this.#bytes[this.#at++] = (left % 128) | 0x80;
    this.#bytes[this.#at++] = left;
  }

  /** Begins a message inside; its length is not known yet, and one octet is kept for it. */
  #open(field: number): number {
    this.#tag(field, delimited);
    this.#reserve(1);
    this.#at += 1;
    return this.#at;
  }

  #close(start: number): void {
    const end = this.#at;
    const length = end - start;
    let more = 0;
    for (let left = length; left > 0x7f; left = Math.floor(left / 128)) more += 1;
    if (more > 0) {
      this.#reserve(more);
      this.#bytes.copyWithin(start + more, start, end);
    }
    this.#at = start - 1;
    this.#varint(length);
    this.#at = end + more;
  }

  #reserve(octets: number): void {
    if (this.#at + octets <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#at + octets));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}
