/**
 * The verb `spool`: the queue of a spool, of a running relay or a stopped one, and what is set aside in it. It takes nothing from
 * who owns the spool.
 */
import type { Clock } from "../../runtime/clock.ts";
import { openReader } from "../spool/local/reading/reader.ts";
import type { SpoolReader, TotalBounds } from "../spool/queue.ts";
import type { SpoolCommand } from "./command.ts";
import type { Printed } from "./printed.ts";
import { queueDocument, renderQueue } from "./queue.ts";
import { renderUnreadable, unreadableDocument } from "./unreadable.ts";

const bounds: TotalBounds = { messages: 1_000_000, domains: 10_000 };

/** Rejects with what is in the way of reading. */
export async function showSpool(command: SpoolCommand, directory: string, clock: Clock): Promise<Printed> {
  const reader = openReader(directory);
  try {
    const now = clock.now();
    if (command.show.kind === "export") return await exportRow(reader, command.show.row);
    if (command.show.kind === "unreadable") return await showUnreadable(reader, command, now);
    const view = { shown: await reader.oldest(command.limit), totals: await reader.totals(now, bounds), now };
    const out = command.json ? `${JSON.stringify(queueDocument(view), undefined, 2)}\n` : renderQueue(view);
    return { status: 0, out, err: "" };
  } finally {
    await reader.close();
  }
}

async function showUnreadable(reader: SpoolReader, { limit, json }: SpoolCommand, now: number): Promise<Printed> {
  const unreadable = await reader.unreadable(limit);
  const out = json
    ? `${JSON.stringify(unreadableDocument(unreadable), undefined, 2)}\n`
    : renderUnreadable(unreadable, now);
  return { status: 0, out, err: "" };
}

async function exportRow(reader: SpoolReader, row: number): Promise<Printed> {
  const message = await reader.exported(row);
  if (message === undefined) return { status: 1, out: "", err: `the spool has no row ${row}\n` };
  return { status: 0, out: `${JSON.stringify(message, undefined, 2)}\n`, err: "" };
}
