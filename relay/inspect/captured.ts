/** Captured mail as a table or as JSON. Pure. */
import { printable } from "../../runtime/terminal.ts";
import type { CapturedMail } from "../spool/queue.ts";
import { counted, elapsed } from "./figures.ts";
import { renderTable } from "./table.ts";

const namedRecipients = 3;
const subjectColumns = 60;

export function renderCaptured(mails: readonly CapturedMail[], now: number): string {
  if (mails.length === 0) return "No captured mail is here.\n";
  const rows = mails.map(({ row, id, capturedAt, from, domain, to, sizeBytes, subject }) => [
    String(row),
    printable(id),
    elapsed(now - capturedAt),
    printable(from === "" ? `${domain} (notice)` : from),
    printable(recipientsCell(to)),
    sizeBytes.toLocaleString("en"),
    printable(subject.length > subjectColumns ? `${subject.slice(0, subjectColumns)}...` : subject),
  ]);
  return [
    `${counted(mails.length, "captured message")}, the newest first; nobody but the readers of this spool has seen them:\n`,
    renderTable(
      [
        { title: "ROW", right: true },
        { title: "ID" },
        { title: "AGE", right: true },
        { title: "FROM" },
        { title: "TO" },
        { title: "OCTETS", right: true },
        { title: "SUBJECT" },
      ],
      rows,
    ),
    "Save one as it would have left with `spool --eml ROW > message.eml`.\n",
  ].join("\n");
}

function recipientsCell(to: readonly string[]): string {
  const others = to.length - namedRecipients;
  return [...to.slice(0, namedRecipients), ...(others > 0 ? [counted(others, "other")] : [])].join(", ");
}

export function capturedDocument(mails: readonly CapturedMail[]): object {
  return {
    version: 1,
    captured: mails.map(({ id, capturedAt, ...mail }) => ({
      ...mail,
      spoolId: id,
      capturedAt: new Date(capturedAt).toISOString(),
    })),
  };
}
