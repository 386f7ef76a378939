/** The verb `spool`: what waits in the spools of a state folder, whose it is, and why it waits. */
import { findRunning } from "../running.ts";
import { lineOf } from "../terminal/paint.ts";
import { subjectIn } from "../terminal/subject.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { readWaiting, type WaitingMail, type WaitingRecipient, waitingWords } from "../waiting.ts";
import { requireState } from "./statefolder.ts";

export interface SpoolOptions {
  readonly state: string;
  readonly terminal: Pick<Terminal, "write" | "paint" | "columns">;
  readonly now: () => number;
}

/** Of each spool. */
const shownMessages = 50;
const shownRecipients = 5;
const indent = "         ";

/** Resolves to the exit code. Throws UsageError. */
export async function tellSpool({ state, terminal, now }: SpoolOptions): Promise<number> {
  await requireState(state);
  const waiting = await readWaiting(state, shownMessages);
  const lines: string[] = [];
  for (const mail of waiting.oldest) lines.push(...(await linesOf(mail, terminal, now())));
  const hidden = waiting.messages - waiting.oldest.length;
  if (hidden > 0) lines.push(`and ${hidden} more`);
  const isRunning = (await findRunning(state)) !== undefined;
  const next = isRunning || waiting.messages === 0 ? "" : "; the next `make run` goes on with it";
  terminal.write([...lines, `${waitingWords(waiting)} in ${state}${next}`, ""].join("\n"));
  return waiting.unreadable.length === 0 ? 0 : 1;
}

async function linesOf(
  mail: WaitingMail,
  { paint, columns }: Pick<Terminal, "paint" | "columns">,
  now: number,
): Promise<readonly string[]> {
  const subject = await subjectIn(mail.header);
  const first = [
    { text: mail.spoolId },
    { text: `${ageWords(now - mail.acceptedAt)} old` },
    { text: mail.from === "" ? "a notice" : `from ${mail.from}` },
    { text: subject === "" ? "(no subject)" : `"${subject}"`, style: "strong" as const },
  ];
  const width = columns();
  const shown = mail.recipients.slice(0, shownRecipients).map((recipient) => recipientWords(recipient, now));
  const others = mail.recipients.length - shown.length;
  return [
    lineOf(first, paint, width),
    ...[...shown, ...(others > 0 ? [`and ${others} more recipients`] : [])].map(
      (text) => indent + lineOf([{ text }], paint, width === undefined ? undefined : width - indent.length),
    ),
  ];
}

function recipientWords({ address, attempts, dueAt, lastReply }: WaitingRecipient, now: number): string {
  if (dueAt === undefined) return `to ${address}: set aside, because it cannot be read`;
  const tried = attempts === 0 ? "not tried yet" : `tried ${attempts === 1 ? "once" : `${attempts} times`}`;
  const next = dueAt <= now ? "due now" : `next in ${ageWords(dueAt - now)}`;
  return `to ${address}, ${tried}, ${next}${lastReply === undefined ? "" : `: ${lastReply}`}`;
}

/** One unit says enough. */
export function ageWords(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}
