/** How the page says things: one clock, one way to count, one name for each outcome. Pure. */
/** @import { Tone } from "../../trace/shape.ts" */
/** @import { Copy, Header, Outline } from "../shapes.ts" */

const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/**
 * `14:05:09`, whatever the browser's language prefers.
 * @param {string | number} at
 */
export function clock(at) {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}

/**
 * `30 Nov 14:05:09`; another year is named.
 * @param {string | number} at
 * @param {number} now
 */
export function dayAndClock(at, now) {
  const date = new Date(at);
  const isThisYear = date.getFullYear() === new Date(now).getFullYear();
  const day = `${date.getDate()} ${months[date.getMonth()]?.slice(0, 3)}`;
  return `${day}${isThisYear ? "" : ` ${date.getFullYear()}`} ${clock(at)}`;
}

/**
 * `Monday, 30 November 2026, 14:05:09`
 * @param {string} at
 */
export function wholeDate(at) {
  const date = new Date(at);
  return `${days[date.getDay()]}, ${date.getDate()} ${months[date.getMonth()]} ${date.getFullYear()}, ${clock(at)}`;
}

/** @param {number} bytes */
export function size(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1048576 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1048576).toFixed(1)} MiB`;
}

/** @param {number} ms */
export function long(ms) {
  if (ms >= 1000) return `${(ms / 1000).toFixed(ms >= 10000 ? 1 : 2)} s`;
  return `${ms.toFixed(ms >= 10 ? 0 : 1)} ms`;
}

/**
 * @param {number} number
 * @param {string} noun
 */
export function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** @param {Pick<Outline, "subject" | "standing">} message */
export function subjectOf({ subject, standing }) {
  if (subject !== undefined) return subject === "" ? "(no subject)" : subject;
  if (standing === "refused") return "Refused at the door";
  return standing === "bounced" ? "(never arrived)" : "(has not arrived yet)";
}

/** A no for now (RFC 5321 section 4.2.1) is no failure: whoever sent it tries again. @param {Outline} message */
function isRefusedForNow({ standing, reply }) {
  return standing === "refused" && reply !== undefined && reply.startsWith("4");
}

/**
 * @param {Outline} message
 * @param {number} now
 */
export function standingText(message, now) {
  if (isRefusedForNow(message)) return "refused for now";
  if (message.standing !== "retrying" || message.dueAt === undefined) return message.standing;
  const seconds = Math.ceil((Date.parse(message.dueAt) - now) / 1000);
  if (seconds <= 0) return "trying again";
  return `again in ${seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`}`;
}

/** @type {Readonly<Record<Outline["standing"], Tone>>} */
const tones = {
  delivered: "good",
  captured: "good",
  waiting: "plain",
  retrying: "warning",
  "partly bounced": "bad",
  bounced: "bad",
  refused: "bad",
  lost: "bad",
};

/** That a notice arrived is no good news. @param {Outline} message @returns {Tone} */
export function standingTone(message) {
  if (isRefusedForNow(message)) return "warning";
  return message.isNotice && tones[message.standing] === "good" ? "plain" : tones[message.standing];
}

/** `anna@example.net, berta@example.net and 48 more` @param {readonly string[]} addresses @param {number} shown */
export function namesOf(addresses, shown) {
  const rest = addresses.length - shown;
  return `${addresses.slice(0, shown).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}

/** The second line of a row. @param {Outline} message */
export function peopleOf({ from, to, recipients, isNotice, about }) {
  if (isNotice && about !== undefined) {
    const subject = about.subject === undefined ? "a message" : `“${about.subject || "(no subject)"}”`;
    return `about ${subject}${about.to.length === 0 ? "" : ` to ${namesOf(about.to, 1)}`}`;
  }
  const names = to.length === 0 ? "?" : namesOf(to, 2);
  return `${from || "<>"} → ${to.length <= 2 && recipients > to.length ? `${names} (${recipients})` : names}`;
}

/**
 * Who of the envelope is named where: a recipient that neither To nor Cc names got a blind copy.
 * @param {readonly string[]} envelope
 * @param {readonly Header[]} headers
 * @returns {{ to: string[], cc: string[], bcc: string[] }}
 */
export function recipientKinds(envelope, headers) {
  const [to, cc] = [addressesIn(headers, "to"), addressesIn(headers, "cc")];
  // A relay's log knows domains only: nothing can be said of such a recipient, and nothing where no header is known.
  const isOpen = (/** @type {string} */ one) => headers.length === 0 || one.startsWith("…@") || to.has(key(one));
  return {
    to: envelope.filter((one) => isOpen(one)),
    cc: envelope.filter((one) => !isOpen(one) && cc.has(key(one))),
    bcc: envelope.filter((one) => !isOpen(one) && !cc.has(key(one))),
  };
}

/** @param {string} address */
function key(address) {
  return address.toLowerCase();
}

/**
 * @param {readonly Header[]} headers
 * @param {string} name
 */
function addressesIn(headers, name) {
  const values = headers.filter((header) => header.name.toLowerCase() === name).map((header) => header.value);
  return new Set(values.flatMap((value) => value.match(/[^\s<>,;:"()]+@[^\s<>,;:"()]+/g) ?? []).map(key));
}

/** The values of a header field. @param {readonly Header[]} headers @param {string} name */
export function fieldOf(headers, name) {
  return headers.find((header) => header.name.toLowerCase() === name)?.value;
}

/** What is folded away of a long row: all but its first and last. @template T @param {readonly T[]} entries @param {number} atMost */
export function folded(entries, atMost) {
  const isLong = entries.length > atMost;
  return {
    before: isLong ? entries.slice(0, 1) : entries,
    between: isLong ? entries.slice(1, -1) : [],
    after: isLong ? entries.slice(-1) : [],
  };
}

/** @param {Pick<Copy, "to">} copy @param {number} index @param {number} of */
export function copyTitle(copy, index, of) {
  return of === 1 ? "Message" : `Copy ${index + 1} of ${of}: ${namesOf(copy.to, 3)}`;
}
