/**
 * A look at a message that waits in a relay's spool, or was captured there, as a person takes it with SQLite's own tools:
 * read-only. The capture exchanger has not seen its content, and the relay's log holds no subject and no address.
 */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { Octets } from "./content.ts";

const file = "spool.db";
const busyTimeoutMs = 200;

const row = z.object({
  seq: z.union([z.number(), z.bigint()]),
  sender: z.string(),
  content: z.instanceof(Uint8Array),
  header_bytes: z.number(),
  body_file: z.number(),
});
const recipientRow = z.object({ address: z.string() });
const capturedRow = row.extend({ recipients: z.string(), signatures: z.string() });
const addresses = z.array(z.string());

export interface SpooledMessage {
  readonly from: string;
  /** Those that wait, or for whom it was captured. */
  readonly to: readonly string[];
  readonly header: Buffer;
  /** The whole message as it waits: its signatures are made when it leaves. Or as it would have left. */
  readonly octets: Octets;
  /** It is not to be sent (delivery.mode). */
  readonly isCaptured: boolean;
}

/** A directory with a spool, and the pod it is of. */
export interface PodSpool {
  readonly pod: string;
  readonly directory: string;
}

/** Spools of the pods that there are, and of those that have left mail behind. */
export async function spoolsIn(stateDirectory: string): Promise<readonly PodSpool[]> {
  const pods = await readdir(join(stateDirectory, "pods")).catch(() => []);
  return pods.map((pod) => ({ pod, directory: spoolOf(stateDirectory, pod) }));
}

export function spoolOf(stateDirectory: string, pod: string): string {
  return join(stateDirectory, "pods", pod, "spool");
}

/** Undefined when the message has left, or the spool cannot be read: only comfort is lost. */
export function peekSpool(directory: string, id: string): SpooledMessage | undefined {
  return look(directory, undefined, (database) => {
    const stored = database
      .prepare("SELECT seq, sender, content, header_bytes, body_file FROM message WHERE id = ?")
      .get(id);
    if (stored === undefined) return capturedIn(database, directory, id);
    const found = row.parse(stored);
    const recipients = database.prepare("SELECT address FROM recipient WHERE seq = ? ORDER BY idx").all(found.seq);
    const to = z.array(recipientRow).parse(recipients);
    return {
      from: found.sender,
      to: to.map(({ address }) => address),
      ...contentOf(found, join(directory, "bodies", id), ""),
      isCaptured: false,
    };
  });
}

/** All rows of a message differ in their recipients alone. */
function capturedIn(database: DatabaseSync, directory: string, id: string): SpooledMessage | undefined {
  const rows = z.array(capturedRow).parse(database.prepare("SELECT * FROM captured WHERE id = ? ORDER BY seq").all(id));
  const [first] = rows;
  if (first === undefined) return undefined;
  return {
    from: first.sender,
    to: rows.flatMap(({ recipients }) => addresses.parse(JSON.parse(recipients))),
    ...contentOf(first, join(directory, "bodies", id), first.signatures),
    isCaptured: true,
  };
}

function contentOf(
  { content: bytes, header_bytes: headerBytes, body_file: bodyFile }: z.infer<typeof row>,
  bodyPath: string,
  signatures: string,
): Pick<SpooledMessage, "header" | "octets"> {
  const content = Buffer.from(bytes);
  const header = content.subarray(0, headerBytes);
  // The empty line between them is in neither.
  const head = Buffer.concat([Buffer.from(signatures, "latin1"), header, Buffer.from("\r\n")]);
  const octets = bodyFile === 0 ? Buffer.concat([head, content.subarray(headerBytes)]) : { head, file: bodyPath };
  return { header, octets };
}

/** One row of captured mail: of a message that is captured in parts there are several. */
export type CapturedRow = Readonly<z.infer<typeof capturedOutline>>;

const capturedOutline = z.object({
  seq: z.number(),
  id: z.string(),
  domain: z.string(),
  accepted_at: z.number(),
  captured_at: z.number(),
  size: z.number(),
  recipients: z.number(),
});

/** Those behind `after`, oldest first: at most the newest `most`. */
export function capturedAfter(directory: string, after: number, most: number): readonly CapturedRow[] {
  return look(directory, [], (database) => {
    const newest = database.prepare(
      `SELECT seq, id, domain, accepted_at, captured_at, length(signatures) + header_bytes + 2 + body_bytes AS size,
       json_array_length(recipients) AS recipients FROM captured WHERE seq > ? ORDER BY seq DESC LIMIT ?`,
    );
    return z.array(capturedOutline).parse(newest.all(after, most)).toReversed();
  });
}

export function isSpool(directory: string): boolean {
  return existsSync(join(directory, file));
}

/** Which of these the spool holds; those that are `believed` to wait when it cannot be asked, because they must not be forgotten. */
export function heldIn(directory: string, ids: readonly string[], believed = ids): readonly string[] {
  if (!isSpool(directory)) return [];
  return look(directory, believed, (database) => {
    const one = database.prepare("SELECT 1 FROM message WHERE id = ?");
    return ids.filter((id) => one.get(id) !== undefined);
  });
}

/** `otherwise` when the spool cannot be read, or holds something else than is looked for. */
function look<T>(directory: string, otherwise: T, read: (database: DatabaseSync) => T): T {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(join(directory, file), { readOnly: true, timeout: busyTimeoutMs });
    return read(database);
  } catch {
    return otherwise;
  } finally {
    database?.close();
  }
}
