/**
 * A look at a message that waits in a relay's spool, as a person takes it with SQLite's own tools: read-only. The capture
 * exchanger has not seen its content yet, and the relay's log holds no subject and no address.
 */
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";

const busyTimeoutMs = 200;

const row = z.object({
  seq: z.union([z.number(), z.bigint()]),
  sender: z.string(),
  content: z.instanceof(Uint8Array),
  header_bytes: z.number(),
});
const recipientRow = z.object({ address: z.string() });

export interface SpooledMessage {
  readonly from: string;
  /** Those that wait. */
  readonly to: readonly string[];
  readonly header: Buffer;
}

/** Undefined when the message has left, or the spool cannot be read: only comfort is lost. */
export function peekSpool(file: string, id: string): SpooledMessage | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { readOnly: true, timeout: busyTimeoutMs });
    const found = row.parse(
      database.prepare("SELECT seq, sender, content, header_bytes FROM message WHERE id = ?").get(id),
    );
    const recipients = database.prepare("SELECT address FROM recipient WHERE seq = ? ORDER BY idx").all(found.seq);
    return {
      from: found.sender,
      to: z
        .array(recipientRow)
        .parse(recipients)
        .map(({ address }) => address),
      header: Buffer.from(found.content.subarray(0, found.header_bytes)),
    };
  } catch {
    return undefined;
  } finally {
    database?.close();
  }
}
