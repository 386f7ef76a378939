/**
 * Manifest text to objects, and what stays in force when some of it is wrong. Pure: the folder is read elsewhere.
 *
 * An object is judged by itself: a mistake in one leaves the others of its file alone, and the last good version of
 * the wrong one stays. Only a file that is not YAML at all keeps everything it last gave.
 */
import { LineCounter, parseAllDocuments } from "yaml";
import { z } from "zod";
import { type ManifestProblem, readManifest } from "../../api/manifest.ts";
import type { MailRelay } from "../../api/mailrelay.ts";
import type { SenderDomain } from "../../api/senderdomain.ts";
import type { KindMap } from "../kube/objects.ts";

export type GivenKind = "MailRelay" | "SenderDomain" | "Secret";
export type GivenObject = KindMap[GivenKind];

/** What a person reads about a mistake: where it is, what it is, what to do. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  /** `Kind namespace/name` when the document says so. */
  readonly object?: string;
  readonly path: string;
  readonly message: string;
}

export interface ReadDocument {
  readonly id: string;
  /** Absent when the document has problems. */
  readonly object?: GivenObject;
}

export interface ReadFile {
  readonly file: string;
  /** False when the file is not YAML: nothing is known of what it holds. */
  readonly isReadable: boolean;
  readonly documents: readonly ReadDocument[];
  readonly problems: readonly Problem[];
}
