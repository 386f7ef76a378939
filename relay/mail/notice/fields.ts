/**
 * The part for programs: message/delivery-status (RFC 3464 section 2), or its form with UTF-8 (RFC 6533 section 4).
 * Pure. Whatever others said is one bounded, folded line without control characters, so that no field can be smuggled in.
 */
import { formatDate } from "../received.ts";
import { formatReply } from "../reply.ts";
import type { NoticeFacts, ReportedRecipient } from "./facts.ts";
import { decodeXtext, finalRecipient, originalRecipient } from "./recipientform.ts";
import { diagnostic, oneLine, wrap, type Charset } from "./text.ts";

/** RFC 5322 section 2.1.1 allows 998. */
const longestFieldOctets = 990;

/** RFC 3464 section 2.1: fields for the message, then a block for each recipient, empty lines between. */
export function statusFields(facts: NoticeFacts, charset: Charset): string {
  const blocks = [messageFields(facts), ...facts.recipients.map((each) => recipientFields(each, facts, charset))];
  return blocks.map((fields) => fields.map((field) => `${field}\r\n`).join("")).join("\r\n");
}

function messageFields({ hostname, envid, acceptedAt, originalId }: NoticeFacts): string[] {
  return [
    `Reporting-MTA: ${mtaName(hostname)}`,
    ...(envid === undefined ? [] : [`Original-Envelope-Id: ${oneLine(decodeXtext(envid), "ascii")}`]),
    `Arrival-Date: ${formatDate(acceptedAt)}`,
    // RFC 3464 section 2.4: what our logs know the message by, as an extension field.
    `X-Mailboat-Spool-Id: ${originalId}`,
  ];
}

function recipientFields(recipient: ReportedRecipient, facts: NoticeFacts, charset: Charset): string[] {
  const { address, orcpt, status, remoteHost } = recipient;
  return [
    ...(orcpt === undefined ? [] : [addressField(`Original-Recipient: ${originalRecipient(orcpt, charset)}`)]),
    addressField(`Final-Recipient: ${finalRecipient(address, charset)}`),
    `Action: ${facts.action}`,
    `Status: ${status}`,
    ...(remoteHost === undefined ? [] : [`Remote-MTA: ${mtaName(remoteHost)}`]),
    wrap(`Diagnostic-Code: ${diagnosticCode(recipient, charset)}`, " "),
    `Last-Attempt-Date: ${formatDate(facts.now)}`,
    ...(facts.action === "delayed" ? [`Will-Retry-Until: ${formatDate(facts.retryUntil)}`] : []),
  ];
}

/** An address is folded only when it would be too long for a line: folding could change the spaces of a quoted local part. */
function addressField(field: string): string {
  return Buffer.byteLength(field) > longestFieldOctets ? wrap(field, " ") : field;
}

/** RFC 3464 section 2.3.6: the type `smtp` is for what an SMTP server said; what we found ourselves has a type of ours. */
function diagnosticCode({ remoteHost, reply }: ReportedRecipient, charset: Charset): string {
  if (remoteHost !== undefined) return `smtp; ${diagnostic(formatReply(reply), charset)}`;
  return `X-Mailboat; ${diagnostic(reply.text, charset)}`;
}

/** RFC 3464 section 2.1.2: the type `dns` is for names, and for addresses in brackets. */
function mtaName(host: string): string {
  const name = oneLine(host, "ascii").replace(/[\s;()]/g, "?");
  if (/^\d{1,3}(?:\.\d{1,3}){3}$/.test(name)) return `dns; [${name}]`;
  return name.includes(":") && !name.startsWith("[") ? `dns; [IPv6:${name}]` : `dns; ${name}`;
}
