/** The verb `spool`: the queue of a spool, of a running relay or a stopped one. It takes nothing from who owns the spool. */
import type { Clock } from "../../runtime/clock.ts";
import { SpoolReader, type TotalBounds } from "../spool/reading/reader.ts";
import type { SpoolCommand } from "./command.ts";
import type { Printed } from "./printed.ts";
import { queueDocument, renderQueue } from "./queue.ts";

const bounds: TotalBounds = { messages: 1_000_000, domains: 10_000 };

/** Throws with what is in the way of reading. */
export function showSpool(command: SpoolCommand, directory: string, clock: Clock): Printed {
  const reader = new SpoolReader(directory);
  try {
    const now = clock.now();
    const view = { shown: [...reader.oldest(command.limit)], totals: reader.totals(now, bounds), now };
    const out = command.json ? `${JSON.stringify(queueDocument(view), undefined, 2)}\n` : renderQueue(view);
    return { status: 0, out, err: "" };
  } finally {
    reader.close();
  }
}
