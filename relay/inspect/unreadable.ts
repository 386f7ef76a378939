/** What is set aside in a spool, as a table or as JSON. Pure. */
import { printable } from "../../runtime/terminal.ts";
import type { UnreadableRecipient } from "../spool/queue.ts";
import { renderTable } from "./table.ts";
import { counted, elapsed } from "./figures.ts";

export function renderUnreadable(recipients: readonly UnreadableRecipient[], now: number): string {
  if (recipients.length === 0) return "Nothing is set aside.\n";
  const rows = recipients.map(({ row, spoolId = "-", recipient, since, reason }) => [
    String(row),
    printable(spoolId),
    printable(recipient),
    elapsed(now - since),
    printable(reason),
  ]);
  return [
    `${counted(recipients.length, "recipient")} set aside, because a row cannot be read:\n`,
    renderTable(
      [
        { title: "ROW", right: true },
        { title: "ID" },
        { title: "RECIPIENT" },
        { title: "SINCE", right: true },
        { title: "REASON" },
      ],
      rows,
    ),
    "Save one with `spool --export ROW`. Each start of the relay tries them again.\n",
  ].join("\n");
}

export function unreadableDocument(recipients: readonly UnreadableRecipient[]): object {
  return {
    version: 1,
    unreadable: recipients.map(({ since, ...recipient }) => ({ ...recipient, since: new Date(since).toISOString() })),
  };
}
