/**
 * The part for people: what happened to whom, what the other side said, what will happen next, what the sender can do.
 * Pure. Plain English in short lines; what others said stands indented, so that it is never taken for our own words.
 */
import { domainOf } from "../address.ts";
import { formatDate } from "../received.ts";
import { formatReply } from "../reply.ts";
import { wantsNotice, type NoticeAction } from "./due.ts";
import type { NoticeFacts, ReportedRecipient } from "./facts.ts";
import { meaningOf } from "./meaning.ts";
import { diagnostic, oneLine, paragraph, shown } from "./text.ts";

export const subjects: Readonly<Record<NoticeAction, string>> = {
  failed: "Your message could not be delivered",
  delayed: "Your message is delayed",
  relayed: "Your message was passed on",
};

/** Text in UTF-8 characters, only where an address or the other side's words have them. */
export function humanText(facts: NoticeFacts): string {
  const paragraphs = [
    paragraph(`This is the mail relay at ${facts.hostname}.`),
    paragraph(opening(facts)),
    ...aboutRecipients(facts),
    ...whatNext(facts).map((text) => paragraph(text)),
    paragraph(attached(facts)),
    paragraph(`In the logs of ${facts.hostname} the message has the number ${facts.originalId}.`),
  ];
  return `${paragraphs.join("\r\n\r\n")}\r\n`;
}

function opening({ action, acceptedAt, recipients }: NoticeFacts): string {
  const whom = recipients.length === 1 ? "the recipient" : `${recipients.length} recipients`;
  const arrived = formatDate(acceptedAt);
  if (action === "relayed") {
    return `Your message of ${arrived} was passed on to the next mail server for ${whom} below, and accepted there.`;
  }
  if (action === "delayed") {
    return `Your message of ${arrived} has not been delivered to ${whom} below yet. You need not send it again.`;
  }
  return `Your message of ${arrived} could not be delivered to ${whom} below. It will not be tried again.`;
}

/** Recipients of whom the same is to be said stand together, in the order of the first of them. */
function aboutRecipients(facts: NoticeFacts): string[] {
  const told = facts.recipients.map((recipient) => ({ recipient, words: aboutRecipient(recipient, facts) }));
  const groups = Map.groupBy(told, ({ words }) => words.join("\r\n\r\n"));
  return [...groups].flatMap(([words, group]) => [
    group.map(({ recipient }) => `  <${shown(recipient.address, "utf-8")}>`).join("\r\n"),
    words,
  ]);
}

function aboutRecipient(recipient: ReportedRecipient, { action, acceptedAt }: NoticeFacts): string[] {
  const { status, cause, remoteHost, reply } = recipient;
  const quoted = [paragraph(whoSaid(recipient, action), "    "), paragraph(quote(recipient), "        ")];
  if (action === "relayed") return quoted;
  const meaning = meaningOf(cause, remoteHost === undefined ? "relay" : "other side", reply.code);
  const expired = status !== cause;
  const what = expired
    ? `${meaning.what} It was tried since ${formatDate(acceptedAt)}, and the time allowed for it is over.`
    : meaning.what;
  const advice = action === "failed" ? [paragraph(`What you can do: ${meaning.advice}`, "    ")] : [];
  return [paragraph(what, "    "), ...quoted, ...advice];
}

function whoSaid({ remoteHost, address, status, cause }: ReportedRecipient, action: NoticeAction): string {
  const last = status !== cause || action === "delayed" ? " the last time" : "";
  if (remoteHost !== undefined) return `The mail server ${oneLine(remoteHost, "ascii")} said${last}:`;
  const domain = domainOf(address);
  return `What the relay found${last} on the way to ${domain === "" ? "the recipient" : shown(domain, "utf-8")}:`;
}

function quote({ remoteHost, reply }: ReportedRecipient): string {
  return diagnostic(remoteHost === undefined ? reply.text : formatReply(reply), "utf-8");
}

/** What will happen is said only as far as it will: a sender may have asked not to be told of failures. */
function whatNext({ action, retryUntil, recipients }: NoticeFacts): string[] {
  if (action === "failed") return [];
  if (action === "relayed") {
    return [
      "That server does not report on deliveries, so this is the last you hear of it from here. It does not mean that the message was read.",
    ];
  }
  const trying = `The relay keeps trying until ${formatDate(retryUntil)}.`;
  const told = recipients.filter(({ notify }) => wantsNotice("failed", notify)).length;
  if (told === recipients.length) return [`${trying} If it does not succeed by then, you get another notice.`];
  return told === 0 ? [`${trying} You asked for no notice if it does not succeed by then.`] : [trying];
}

function attached({ original }: NoticeFacts): string {
  const start = "After this text come the details in a form for programs,";
  if (original.body !== undefined) return `${start} and then your message.`;
  const reason = { "too large": "too large to be returned", unencodable: "not in a form that can be returned" };
  const why = original.withheld === undefined ? "" : `; the message itself is ${reason[original.withheld]}`;
  return `${start} and then the header of your message${why}.`;
}
