/** The queue as a table or as JSON: what the verb `spool` prints. Pure. */
import { printable } from "../../runtime/terminal.ts";
import type { DestinationTotal, QueuedMessage, QueuedRecipient, SpoolTotals } from "../spool/queue.ts";
import { renderTable } from "./table.ts";
import { counted, elapsed, replyWords, until } from "./figures.ts";

/** The recipients of one message at one domain. */
export interface DestinationGroup {
  readonly domain: string;
  readonly recipients: number;
  /** Of the one that was tried most. */
  readonly attempts: number;
  readonly lastReply: QueuedRecipient["lastReply"];
  /** The earliest, ms since the epoch. */
  readonly dueAt: number;
}

export interface QueueView {
  readonly shown: readonly QueuedMessage[];
  readonly totals: SpoolTotals;
  /** ms since the epoch. */
  readonly now: number;
}

const setAside = "set aside, see --unreadable";
const domainsInCell = 3;
const replyColumns = 100;
/** Rows of the tables of totals; JSON has them all. */
const totalRows = 20;

export function groupByDomain(recipients: readonly QueuedRecipient[]): readonly DestinationGroup[] {
  return [...Map.groupBy(recipients, ({ domain }) => domain)].map(([domain, group]) => {
    const most = group.reduce((first, other) => (other.attempts > first.attempts ? other : first));
    return {
      domain,
      recipients: group.length,
      attempts: most.attempts,
      lastReply: most.lastReply,
      dueAt: Math.min(...group.map(({ dueAt }) => dueAt)),
    };
  });
}

export function renderQueue({ shown, totals, now }: QueueView): string {
  if (totals.messages === 0) return "The spool is empty.\n";
  const part = shown.length < totals.messages ? `; the oldest ${shown.length.toLocaleString("en")} of them` : "";
  const rows = shown.map((message) => queueRow(message, now));
  return [
    `${counted(totals.messages, "message")} in the spool${part}:\n`,
    renderTable(
      [
        { title: "ID" },
        { title: "AGE", right: true },
        { title: "FROM" },
        { title: "TO" },
        { title: "ATTEMPTS", right: true },
        { title: "NEXT" },
        { title: "LAST REPLY" },
      ],
      rows,
    ),
    ...renderTotals(totals),
  ].join("\n");
}

function queueRow(message: QueuedMessage, now: number): readonly string[] {
  const { id, acceptedAt, domain, fromNobody, recipients, unreadable } = message;
  const groups = groupByDomain(recipients);
  const [first] = groups;
  if (first === undefined)
    return [id, elapsed(now - acceptedAt), domain, `(${unreadable})`, "", "", setAside].map(printable);
  const most = groups.reduce((one, other) => (other.attempts > one.attempts ? other : one), first);
  const reply = most.lastReply === undefined ? "" : replyWords(most.lastReply);
  return [
    id,
    elapsed(now - acceptedAt),
    fromNobody ? `${domain} (notice)` : domain,
    destinationsCell(groups) + (unreadable > 0 ? `, (${unreadable} ${setAside})` : ""),
    String(most.attempts),
    until(Math.min(...groups.map(({ dueAt }) => dueAt)), now),
    reply.length > replyColumns ? `${reply.slice(0, replyColumns)}...` : reply,
  ];
}

function destinationsCell(groups: readonly DestinationGroup[]): string {
  const named = groups.slice(0, domainsInCell).map(({ domain, recipients }) => `${domain} (${recipients})`);
  const others = groups.length - named.length;
  return [...named, ...(others > 0 ? [`${counted(others, "other domain")}`] : [])].join(", ");
}

function renderTotals(totals: SpoolTotals): readonly string[] {
  const covered =
    totals.covered < totals.messages
      ? [`The totals below count the oldest ${totals.covered.toLocaleString("en")} messages only.\n`]
      : [];
  const destinations = destinationRows(totals).map(([domain, { recipients, due }]) => [
    domain,
    recipients.toLocaleString("en"),
    due.toLocaleString("en"),
  ]);
  const senders = senderRows(totals).map(([domain, messages]) => [domain, messages.toLocaleString("en")]);
  const number = { right: true } as const;
  return [
    ...covered,
    limitedTable([{ title: "TO" }, { title: "RECIPIENTS", ...number }, { title: "DUE", ...number }], destinations),
    limitedTable([{ title: "FROM" }, { title: "MESSAGES", ...number }], senders),
  ];
}

function limitedTable(columns: Parameters<typeof renderTable>[0], rows: readonly (readonly string[])[]): string {
  const others = rows.length - totalRows;
  const rest = others > 0 ? `and ${counted(others, "other domain")}, all of them with --json\n` : "";
  return renderTable(columns, rows.slice(0, totalRows)) + rest;
}

function destinationRows({ destinations }: SpoolTotals): readonly [string, DestinationTotal][] {
  return [...destinations].toSorted(([, first], [, second]) => second.recipients - first.recipients);
}

function senderRows({ senders }: SpoolTotals): readonly [string, number][] {
  return [...senders].toSorted(([, first], [, second]) => second - first);
}

/** The value of `spool --json`: times as ISO 8601, everything that the table cuts short in full. */
export function queueDocument(view: QueueView): object {
  const { shown, totals } = view;
  return {
    version: 1,
    messages: totals.messages,
    queue: shown.map(queuedDocument),
    totals: {
      messages: totals.covered,
      destinations: destinationRows(totals).map(([domain, total]) => ({ domain, ...total })),
      senders: senderRows(totals).map(([domain, messages]) => ({ domain, messages })),
    },
  };
}

export function queuedDocument(message: QueuedMessage): object {
  const { id, acceptedAt, domain, sizeBytes, fromNobody, recipients, unreadable } = message;
  return {
    spoolId: id,
    ...(Number.isFinite(acceptedAt) ? { acceptedAt: new Date(acceptedAt).toISOString() } : {}),
    domain,
    sizeBytes,
    fromNobody,
    ...(unreadable > 0 ? { unreadable } : {}),
    recipients: groupByDomain(recipients).map(({ dueAt, lastReply, ...group }) => ({
      ...group,
      dueAt: new Date(dueAt).toISOString(),
      ...(lastReply === undefined ? {} : { lastReply: replyWords(lastReply) }),
    })),
  };
}
