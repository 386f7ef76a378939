/**
 * What is kept of each kind, in the shape that the reconcilers read. The API server has checked these objects by their
 * schemas; this is the one place where its JSON takes on our types.
 */
import type { Sharing } from "../cache/share.ts";
import { trimMetadata, trimObject } from "../cache/trim.ts";
import { isRecord, type RawObject } from "../client/resource.ts";
import type { ConfigMap, KindMap, Misfit, Secret } from "../objects.ts";
import { podView } from "../podview.ts";
import type { CachedKind } from "./resources.ts";

/**
 * Decodes MailRelay and SenderDomain with defaults filled in, and with the digest of their whole status as `statusDigest`.
 * One whose spec cannot be read has `faults` (see Misfit), and a spec only with what others reckon with: the relay and
 * domain that a SenderDomain holds. `known` is what was made of the object when it was last seen.
 */
export type Decode = (raw: RawObject, known: RawObject | undefined) => RawObject;

/** Why the spec of a decoded resource cannot be read; undefined of one that can. */
export function faultsOf(object: RawObject): readonly string[] | undefined {
  const faults = object["faults"];
  return Array.isArray(faults) ? faults.map(String) : undefined;
}

export type View = (raw: RawObject, known: RawObject | undefined) => RawObject | undefined;

export function viewOf(kind: CachedKind, decode: Decode, sharing: Sharing): View {
  return (raw, known) => sharing.of(render(kind, trimObject(raw), (object) => decode(object, known)));
}

/** As the name says of a Secret, in parts that others have as well. */
export function secretMetadataViews(sharing: Sharing): View {
  return (raw) => sharing.of(metadataView(raw));
}

/** An object of a cache as its kind: views have made it so. */
export function asKind<K extends CachedKind>(object: RawObject): KindMap[K] {
  return object as unknown as KindMap[K];
}

/** Undefined of one whose spec can be read. */
export function asMisfit<K extends "MailRelay" | "SenderDomain">(object: RawObject): Misfit<K> | undefined {
  return faultsOf(object) === undefined ? undefined : (object as unknown as Misfit<K>);
}

function render(kind: CachedKind, raw: RawObject, decode: (raw: RawObject) => RawObject): RawObject {
  switch (kind) {
    case "MailRelay":
    case "SenderDomain":
      return decode(raw);
    case "Pod":
      return podView(raw);
    case "PersistentVolumeClaim":
    case "Certificate":
    // Its status is the load balancer's address, which changes as good as never.
    case "Service":
      return raw;
    case "StatefulSet":
      return { ...withoutStatus(raw), status: revisionsIn(raw["status"]) };
    case "ServiceAccount":
    case "PodDisruptionBudget":
    case "NetworkPolicy":
    case "PodMonitor":
      return withoutStatus(raw);
  }
}

/** It changes all the time and nobody reads it. */
function withoutStatus({ status: _status, ...kept }: RawObject): RawObject {
  return kept;
}

/** Of a StatefulSet's status what changes with its template alone, and not with each pod that comes and goes. */
function revisionsIn(status: unknown): Readonly<Record<string, unknown>> {
  const kept = ["observedGeneration", "currentRevision", "updateRevision"];
  return Object.fromEntries(Object.entries(record(status)).filter(([key]) => kept.includes(key)));
}

/** Secrets and ConfigMaps are kept as metadata alone, of which annotations of others are left out. */
export function metadataView(raw: RawObject): RawObject {
  const { annotations, ...metadata } = trimMetadata(raw.metadata);
  const ours = Object.entries(annotations ?? {}).filter(([key]) => key.startsWith("mailboat.dev/"));
  return { metadata: { ...metadata, ...(ours.length === 0 ? {} : { annotations: Object.fromEntries(ours) }) } };
}

export function namespaceView(raw: RawObject): RawObject {
  const { name, labels, resourceVersion, uid } = raw.metadata;
  return {
    metadata: {
      name,
      ...(labels === undefined ? {} : { labels }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(uid === undefined ? {} : { uid }),
    },
  };
}

/** A Secret without data has none of the field. */
export function secretView(raw: RawObject): Secret {
  const object = { ...trimObject(raw), data: record(raw["data"]), type: text(raw["type"]) };
  return object as unknown as Secret;
}

/** With all of its data in base64: see ConfigMap. */
export function configMapView(raw: RawObject): ConfigMap {
  const texts = Object.entries(record(raw["data"])).map(([key, value]) => [key, base64(text(value))] as const);
  const data = { ...record(raw["binaryData"]), ...Object.fromEntries(texts) };
  return configMap(raw, data);
}

/** What was kept of one: its data is in base64 already. */
export function keptConfigMap(kept: RawObject): ConfigMap {
  return configMap(kept, record(kept["data"]));
}

/** One of the API server's always has a namespace. */
function configMap(raw: RawObject, data: Readonly<Record<string, unknown>>): ConfigMap {
  const metadata = { ...trimMetadata(raw.metadata), namespace: raw.metadata.namespace ?? "" };
  const texts = Object.entries(data).map(([key, value]) => [key, text(value)] as const);
  return { apiVersion: "v1", kind: "ConfigMap", metadata, data: Object.fromEntries(texts) };
}

function base64(value: string): string {
  return Buffer.from(value, "utf8").toString("base64");
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {};
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
