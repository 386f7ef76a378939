/**
 * The verb `spool`: the queue of a spool, of a running relay or a stopped one, and what is set aside in it. It takes nothing from
 * who owns the spool.
 */
import type { Clock } from "../../runtime/clock.ts";
import { SpoolReader, type TotalBounds } from "../spool/reading/reader.ts";
import type { SpoolCommand } from "./command.ts";
import type { Printed } from "./printed.ts";
import { queueDocument, renderQueue } from "./queue.ts";
import { renderUnreadable, unreadableDocument } from "./unreadable.ts";

const bounds: TotalBounds = { messages: 1_000_000, domains: 10_000 };

/** Throws with what is in the way of reading. */
export function showSpool(command: SpoolCommand, directory: string, clock: Clock): Printed {
  const reader = new SpoolReader(directory);
  try {
    const now = clock.now();
    if (command.show.kind === "export") return exportRow(reader, command.show.row);
    if (command.show.kind === "unreadable") return showUnreadable(reader, command, now);
    const view = { shown: [...reader.oldest(command.limit)], totals: reader.totals(now, bounds), now };
    const out = command.json ? `${JSON.stringify(queueDocument(view), undefined, 2)}\n` : renderQueue(view);
    return { status: 0, out, err: "" };
  } finally {
    reader.close();
  }
}

function showUnreadable(reader: SpoolReader, { limit, json }: SpoolCommand, now: number): Printed {
  const unreadable = reader.unreadable(limit);
  const out = json
    ? `${JSON.stringify(unreadableDocument(unreadable), undefined, 2)}\n`
    : renderUnreadable(unreadable, now);
  return { status: 0, out, err: "" };
}

function exportRow(reader: SpoolReader, row: number): Printed {
  const message = reader.exported(row);
  if (message === undefined) return { status: 1, out: "", err: `the spool has no row ${row}\n` };
  return { status: 0, out: `${JSON.stringify(message, undefined, 2)}\n`, err: "" };
}
