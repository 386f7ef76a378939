/**
 * The verb `spool`: the queue of a spool, of a running relay or a stopped one, what is set aside in it, and the mail that it
 * captured. It takes nothing from who owns the spool.
 */
import type { Clock } from "../../runtime/clock.ts";
import { openReader } from "../spool/local/reading/reader.ts";
import type { SpoolReader, TotalBounds } from "../spool/queue.ts";
import { capturedDocument, renderCaptured } from "./captured.ts";
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
    switch (command.show.kind) {
      case "export":
        return await exportRow(reader, command.show.row);
      case "eml":
        return await saveCaptured(reader, command.show.row);
      case "captured":
        return await showCaptured(reader, command, now);
      case "unreadable":
        return await showUnreadable(reader, command, now);
      case "queue":
        return await showQueue(reader, command, now);
    }
  } finally {
    await reader.close();
  }
}

async function showQueue(reader: SpoolReader, { limit, json }: SpoolCommand, now: number): Promise<Printed> {
  const view = { shown: await reader.oldest(limit), totals: await reader.totals(now, bounds), now };
  const out = json ? `${JSON.stringify(queueDocument(view), undefined, 2)}\n` : renderQueue(view);
  return { status: 0, out, err: "" };
}

async function showCaptured(reader: SpoolReader, { limit, json }: SpoolCommand, now: number): Promise<Printed> {
  const mails = await reader.captured(limit);
  const out = json ? `${JSON.stringify(capturedDocument(mails), undefined, 2)}\n` : renderCaptured(mails, now);
  return { status: 0, out, err: "" };
}

async function saveCaptured(reader: SpoolReader, row: number): Promise<Printed> {
  const message = await reader.capturedMessage(row);
  if (message === undefined) {
    return { status: 1, out: "", err: `no captured mail has row ${row}: spool --captured lists what is here\n` };
  }
  return { status: 0, out: "", octets: message.octets, err: "" };
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
