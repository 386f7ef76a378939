/**
 * What waits in the spools of a state folder, read as a person reads them with SQLite's own tools: beside the relays that own them,
 * or where none runs. It writes nothing and takes nothing. A spool that cannot be read is named, and the others are told of.
 */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { z } from "zod";

export interface WaitingRecipient {
  readonly address: string;
  readonly attempts: number;
  /** ms since the epoch; undefined for one that is set aside because it cannot be read. */
  readonly dueAt: number | undefined;
  /** `451 4.3.0 words`. */
  readonly lastReply: string | undefined;
}

export interface WaitingMail {
  /** `<namespace>.<name>-<index>`. */
  readonly pod: string;
  readonly spoolId: string;
  /** ms since the epoch. */
  readonly acceptedAt: number;
  /** Empty for a notice. */
  readonly from: string;
  readonly recipients: readonly WaitingRecipient[];
  readonly header: Buffer;
}

export interface Waiting {
  /** In all spools. */
  readonly messages: number;
  /** The oldest of each spool. */
  readonly oldest: readonly WaitingMail[];
  /** Folders of spools that are there and cannot be read. */
  readonly unreadable: readonly string[];
}

const busyTimeoutMs = 2_000;
/** SQLITE_CANTOPEN of sqlite.org/rescode.html. */
const cannotOpen = 14;

const messageRow = z.object({
  seq: z.number(),
  id: z.string(),
  accepted_at: z.number(),
  sender: z.string(),
  header: z.instanceof(Uint8Array),
});
const recipientRow = z.object({
  address: z.string(),
  attempts: z.number(),
  due_at: z.number(),
  last_reply: z.string().nullable(),
});
const reply = z.object({ code: z.number(), enhanced: z.string().optional(), text: z.string() });

/** `limit` is for each spool. */
export async function readWaiting(stateDirectory: string, limit: number): Promise<Waiting> {
  const oldest: WaitingMail[] = [];
  const unreadable: string[] = [];
  let messages = 0;
  const pods = await readdir(join(stateDirectory, "pods")).catch((): string[] => []);
  for (const pod of pods.toSorted()) {
    const folder = join(stateDirectory, "pods", pod, "spool");
    if (!existsSync(join(folder, "spool.db"))) continue;
    try {
      const read = readSpool(folder, limit);
      messages += read.messages;
      oldest.push(...read.oldest.map((mail) => ({ pod, ...mail })));
    } catch {
      unreadable.push(folder);
    }
  }
  return { messages, oldest, unreadable };
}

function readSpool(folder: string, limit: number): { messages: number; oldest: Omit<WaitingMail, "pod">[] } {
  const database = openReadOnly(join(folder, "spool.db"));
  try {
    // A relay that was stopped before its first message may not have made the tables yet.
    const tables = database
      .prepare("SELECT count(*) AS n FROM sqlite_schema WHERE name IN ('message', 'recipient')")
      .get();
    if (Number(tables?.["n"]) < 2) return { messages: 0, oldest: [] };
    const messages = Number(database.prepare("SELECT count(*) AS n FROM message").get()?.["n"]);
    const rows = database
      .prepare(
        "SELECT seq, id, accepted_at, sender, substr(content, 1, header_bytes) AS header FROM message ORDER BY seq LIMIT ?",
      )
      .all(limit);
    const recipients = database.prepare(
      "SELECT address, attempts, min(due_at, 9007199254740991) AS due_at, last_reply FROM recipient WHERE seq = ? ORDER BY idx",
    );
    const oldest = z
      .array(messageRow)
      .parse(rows)
      .map((row) => ({
        spoolId: row.id,
        acceptedAt: row.accepted_at,
        from: row.sender,
        header: Buffer.from(row.header),
        recipients: z.array(recipientRow).parse(recipients.all(row.seq)).map(recipientOf),
      }));
    return { messages, oldest };
  } finally {
    database.close();
  }
}

function recipientOf(row: z.infer<typeof recipientRow>): WaitingRecipient {
  const { address, attempts, due_at: dueAt } = row;
  return {
    address,
    attempts,
    dueAt: dueAt === Number.MAX_SAFE_INTEGER ? undefined : dueAt,
    lastReply: row.last_reply === null ? undefined : replyText(row.last_reply),
  };
}

function replyText(json: string): string | undefined {
  try {
    const { code, enhanced, text } = reply.parse(JSON.parse(json));
    return [code, enhanced, text].filter((part) => part !== undefined).join(" ");
  } catch {
    return undefined;
  }
}

/** Where no relay runs there may be no shared memory file, and nobody who could make one: nobody writes there then. */
function openReadOnly(path: string): DatabaseSync {
  try {
    return opened(path);
  } catch (error) {
    const code = error instanceof Error && "errcode" in error ? Number(error.errcode) % 256 : 0;
    if (code !== cannotOpen || existsSync(`${path}-wal`)) throw error;
    return opened(new URL(`${pathToFileURL(path).href}?immutable=1`));
  }
}

function opened(path: string | URL): DatabaseSync {
  const database = new DatabaseSync(path, { readOnly: true, timeout: busyTimeoutMs });
  database.prepare("SELECT count(*) FROM sqlite_schema").get();
  return database;
}

/** `1 message waits`, `nothing waits`; and of spools that cannot be read, that more may. */
export function waitingWords({ messages, unreadable }: Pick<Waiting, "messages" | "unreadable">): string {
  const count = messages === 0 ? "nothing waits" : messages === 1 ? "1 message waits" : `${messages} messages wait`;
  return unreadable.length === 0 ? count : `${count}, but for ${unreadable.join(" and ")}, which cannot be read`;
}
