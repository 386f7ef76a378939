/**
 * A look at a message that waits in a relay's spool, as a person takes it with SQLite's own tools: read-only. The capture
 * exchanger has not seen its content yet, and the relay's log holds no subject and no address.
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

export interface SpooledMessage {
  readonly from: string;
  /** Those that wait. */
  readonly to: readonly string[];
  readonly header: Buffer;
  /** The whole message as it waits: its signatures are made when it leaves. */
  readonly octets: Octets;
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
    const found = row.parse(
      database.prepare("SELECT seq, sender, content, header_bytes, body_file FROM message WHERE id = ?").get(id),
    );
    const recipients = database.prepare("SELECT address FROM recipient WHERE seq = ? ORDER BY idx").all(found.seq);
    const content = Buffer.from(found.content);
    const header = content.subarray(0, found.header_bytes);
    // The empty line between them is in neither.
    const head = Buffer.concat([header, Buffer.from("\r\n")]);
    return {
      from: found.sender,
      to: z
        .array(recipientRow)
        .parse(recipients)
        .map(({ address }) => address),
      header,
      octets:
        found.body_file === 0
          ? Buffer.concat([head, content.subarray(found.header_bytes)])
          : { head, file: join(directory, "bodies", id) },
    };
  });
}

/** Which of these the spool holds; those that are `believed` to wait when it cannot be asked, because they must not be forgotten. */
export function heldIn(directory: string, ids: readonly string[], believed = ids): readonly string[] {
  if (!existsSync(join(directory, file))) return [];
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
