/**
 * Manifest text to objects, and what stays in force when some of it is wrong. Pure: the folder is read elsewhere.
 *
 * An object is judged by itself: a mistake in one leaves the others of its file alone, and the last good version of
 * the wrong one stays. Only a file that is not YAML at all keeps everything it last gave.
 */
import { type Document, LineCounter, parseAllDocuments } from "yaml";
import { z } from "zod";
import { readManifest } from "../../api/manifest.ts";
import type { KindMap, KubeObject } from "../../operator/kube/objects.ts";
import { encodeData } from "../../operator/kube/secret.ts";

export type GivenKind = "MailRelay" | "SenderDomain" | "Secret" | "ConfigMap";
export type GivenObject = KindMap[GivenKind];

/** What a person reads about a mistake: where it is, what it is, what to do. */
export interface Problem {
  readonly file: string;
  /** 1-based; 0 when no line is to blame. */
  readonly line: number;
  /** `Kind namespace/name` when the document says so. */
  readonly object?: string;
  /** The field, for example `spec.listeners[0].port`; empty for the whole document. */
  readonly path: string;
  readonly message: string;
}

export interface ReadDocument {
  /** `Kind/namespace/name`; absent when the document does not say what it is. */
  readonly id?: string;
  readonly line: number;
  /** Absent when the document has problems. */
  readonly object?: GivenObject;
}

export interface ReadFile {
  readonly file: string;
  /** False when not even every document's identity is known: everything the file last gave stays. */
  readonly isReadable: boolean;
  readonly documents: readonly ReadDocument[];
  readonly problems: readonly Problem[];
}

export interface InForce {
  readonly file: string;
  readonly object: GivenObject;
}

const identity = z.object({
  kind: z.string(),
  metadata: z.object({ name: z.string(), namespace: z.string().default("default") }),
});

const dataKey = z.string().regex(/^[-._a-zA-Z0-9]+$/);

const givenMetadata = z.object({
  name: z.string(),
  namespace: z.string().default("default"),
  labels: z.record(z.string(), z.string()).default({}),
  annotations: z.record(z.string(), z.string()).default({}),
});

const secretManifest = z.object({
  apiVersion: z.literal("v1"),
  kind: z.literal("Secret"),
  metadata: givenMetadata,
  type: z.string().default("Opaque"),
  data: z.record(dataKey, z.base64()).default({}),
  stringData: z.record(dataKey, z.string()).default({}),
});

const configMapManifest = z.object({
  apiVersion: z.literal("v1"),
  kind: z.literal("ConfigMap"),
  metadata: givenMetadata,
  data: z.record(dataKey, z.string()).default({}),
  binaryData: z.record(dataKey, z.base64()).default({}),
});

/** Data keys that a Secret of a type must have, as the API server asks for them. */
const requiredKeys: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.io/basic-auth": ["username", "password"],
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
};

type Judgement =
  | { readonly object: GivenObject }
  | { readonly problems: readonly { readonly path: string; readonly message: string }[] };

export function readManifests(file: string, text: string): ReadFile {
  const lines = new LineCounter();
  const documents: ReadDocument[] = [];
  const problems: Problem[] = [];
  let isReadable = true;
  for (const document of parseAllDocuments(text, { lineCounter: lines, prettyErrors: false })) {
    const line = lineOf(document, lines);
    const syntaxError = document.errors[0];
    if (syntaxError !== undefined) {
      isReadable = false;
      const at = lines.linePos(syntaxError.pos[0]).line;
      problems.push({ file, line: at, path: "", message: `is not YAML: ${syntaxError.message}` });
      continue;
    }
    const value: unknown = document.toJS();
    if (value === null || value === undefined) continue;
    const known = identity.safeParse(value);
    const judgement = judge(value, known.data?.kind);
    if (!known.success) isReadable = false;
    const id = known.success ? idOf(known.data.kind, known.data.metadata) : undefined;
    if ("object" in judgement) {
      documents.push({ ...(id === undefined ? {} : { id }), line, object: judgement.object });
      continue;
    }
    documents.push({ ...(id === undefined ? {} : { id }), line });
    for (const problem of judgement.problems) {
      const at = lineOfPath(document, problem.path, lines) ?? line;
      problems.push({ file, line: at, ...(id === undefined ? {} : { object: id }), ...problem });
    }
  }
  return { file, isReadable, documents, problems };
}

export interface Settlement {
  readonly inForce: readonly InForce[];
  readonly problems: readonly Problem[];
}

/**
 * What holds from now on: every good object, and the last good version of every object that is still there but wrong.
 * `files` are in the order in which they count: an object that two of them give belongs to the first.
 */
export function settleManifests(previous: readonly InForce[], files: readonly ReadFile[]): Settlement {
  const last = new Map(previous.map((entry) => [objectId(entry.object), entry]));
  const inForce = new Map<string, InForce>();
  const problems: Problem[] = [];
  for (const { file, isReadable, documents, problems: mistakes } of files) {
    problems.push(...mistakes);
    for (const { id, line, object } of documents) {
      if (id === undefined) continue;
      const first = inForce.get(id);
      if (first !== undefined) {
        const message = `is already given by ${first.file}, which holds: remove one of the two`;
        problems.push({ file, line, object: id, path: "metadata.name", message });
        continue;
      }
      const kept = last.get(id)?.object;
      const holds = object ?? kept;
      if (holds !== undefined) inForce.set(id, { file, object: holds });
    }
    if (isReadable) continue;
    for (const entry of previous) {
      const id = objectId(entry.object);
      if (entry.file === file && !inForce.has(id)) inForce.set(id, entry);
    }
  }
  return { inForce: [...inForce.values()], problems };
}

export function objectId(object: GivenObject): string {
  return idOf(object.kind, object.metadata);
}

function idOf(kind: string, metadata: { readonly namespace: string; readonly name: string }): string {
  return `${kind} ${metadata.namespace}/${metadata.name}`;
}

function judge(value: unknown, kind: string | undefined): Judgement {
  if (kind === "Secret") return judgeSecret(value);
  if (kind === "ConfigMap") return judgeConfigMap(value);
  const reading = readManifest(value);
  if (reading.kind === "invalid") return { problems: reading.errors };
  // Status is the operator's: one that was pasted along is not believed.
  if (reading.kind === "MailRelay") return { object: { ...reading.object, status: undefined } };
  return { object: { ...reading.object, status: undefined } };
}

function judgeSecret(value: unknown): Judgement {
  const reading = secretManifest.safeParse(value);
  if (!reading.success) {
    return {
      problems: reading.error.issues.map((issue) => ({
        path: issue.path.map(String).join("."),
        message:
          issue.path[0] === "data"
            ? `${issue.message}: data is base64, plain text goes into stringData`
            : issue.message,
      })),
    };
  }
  const { stringData, data, ...rest } = reading.data;
  const all = { ...data, ...encodeData(stringData) };
  const missing = (requiredKeys[rest.type] ?? []).filter((key) => all[key] === undefined);
  if (missing.length > 0) {
    return {
      problems: missing.map((key) => ({
        path: `stringData.${key}`,
        message: `is missing: a Secret of type ${rest.type} needs ${key} in stringData or data`,
      })),
    };
  }
  return { object: { ...rest, data: all } };
}

function judgeConfigMap(value: unknown): Judgement {
  const reading = configMapManifest.safeParse(value);
  if (!reading.success) {
    return {
      problems: reading.error.issues.map(({ path, message }) => ({ path: path.map(String).join("."), message })),
    };
  }
  const { data, binaryData, ...rest } = reading.data;
  return { object: { ...rest, data: { ...binaryData, ...encodeData(data) } } };
}

function lineOf(document: Document.Parsed, lines: LineCounter): number {
  return lines.linePos(document.contents?.range[0] ?? document.range[0]).line;
}

/** The line of the deepest part of the path that is written down. */
function lineOfPath(document: Document.Parsed, path: string, lines: LineCounter): number | undefined {
  const parts = path.split(/[.[\]]+/).filter((part) => part !== "");
  for (let depth = parts.length; depth > 0; depth -= 1) {
    const keys = parts.slice(0, depth).map((part) => (/^\d+$/.test(part) ? Number(part) : part));
    const node = document.getIn(keys, true);
    const range = typeof node === "object" && node !== null && "range" in node ? node.range : undefined;
    if (Array.isArray(range) && typeof range[0] === "number") return lines.linePos(range[0]).line;
  }
  return undefined;
}

/** As the folder gives it now, with the status that was told of it before. */
export function withStatusOf(object: GivenObject, earlier: KubeObject | undefined): GivenObject {
  if (object.kind === "MailRelay" && earlier?.kind === "MailRelay" && earlier.status !== undefined) {
    return { ...object, status: earlier.status };
  }
  if (object.kind === "SenderDomain" && earlier?.kind === "SenderDomain" && earlier.status !== undefined) {
    return { ...object, status: earlier.status };
  }
  return object;
}
