/** The API server's audit log, read on from where it was read last. */
import { closeSync, openSync, readSync } from "node:fs";

export interface AuditEntry {
  readonly verb: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly user: string;
  readonly userAgent: string;
  readonly code: number;
}

interface AuditRecord {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly userAgent?: string;
  readonly objectRef?: {
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
}

const chunkBytes = 1_048_576;

export class AuditLog {
  readonly #path: string;
  readonly #known: AuditEntry[] = [];
  #offset: number;
  /** The beginning of a line whose end is not written yet. */
  #rest: Buffer = Buffer.alloc(0);

  /** What is before that offset is somebody else's. */
  constructor(path: string, from: number) {
    this.#path = path;
    this.#offset = from;
  }

  /** All so far, in order. */
  entries(): readonly AuditEntry[] {
    const file = openSync(this.#path, "r");
    try {
      for (;;) {
        const chunk = Buffer.alloc(chunkBytes);
        const length = readSync(file, chunk, 0, chunkBytes, this.#offset);
        if (length === 0) break;
        this.#offset += length;
        this.#take(chunk.subarray(0, length));
      }
    } finally {
      closeSync(file);
    }
    return [...this.#known];
  }

  #take(bytes: Buffer): void {
    const whole = Buffer.concat([this.#rest, bytes]);
    const end = whole.lastIndexOf("\n") + 1;
    this.#rest = whole.subarray(end);
    for (const line of whole.subarray(0, end).toString("utf8").split("\n")) {
      if (line !== "") this.#known.push(entryOf(JSON.parse(line) as AuditRecord));
    }
  }
}

function entryOf({ verb, user, userAgent = "", objectRef = {}, responseStatus = {} }: AuditRecord): AuditEntry {
  const { resource = "", subresource = "", namespace = "", name = "" } = objectRef;
  return {
    verb,
    resource,
    subresource,
    namespace,
    name,
    user: user.username,
    userAgent,
    code: responseStatus.code ?? 0,
  };
}
