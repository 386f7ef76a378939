/**
 * Date and Message-ID, which a submission server adds when they are missing (RFC 6409 section 8.2 and 8.3). One that no
 * reader could use is as good as missing.
 */

const weekday = "(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\\.?,?[ \\t]*";
const month = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\\.?";
/** RFC 5322 section 3.3 and 4.3; the zone may be missing, and words behind it are a comment to readers. */
const dateTime = new RegExp(
  `^(?:${weekday})?(\\d{1,2})[ \\t-]*${month}[ \\t-]*\\d{2,4}[ \\t]+(\\d{1,2}):(\\d{2})(?::(\\d{2}))?(?:[ \\t]*(?:[+-]\\d{4}|[a-z]).*)?$`,
  "i",
);
/** RFC 5322 section 3.6.4 asks for an @ as well, which no reader needs to find the thread. */
const identifier = /<[^<>\s]+>|^[^<>\s]+@[^<>\s]+$/;

export function isUsableDate(value: string): boolean {
  const found = dateTime.exec(value.includes("(") ? value.replace(/\([^()]*\)/g, "").trim() : value);
  if (found === null) return false;
  const [day, hour, minute, second] = found.slice(1).map((digits: string | undefined) => Number(digits ?? 0));
  return inRange(day, 1, 31) && inRange(hour, 0, 23) && inRange(minute, 0, 59) && inRange(second, 0, 60);
}

function inRange(value: number | undefined, least: number, most: number): boolean {
  return value !== undefined && value >= least && value <= most;
}

export function isUsableMessageId(value: string): boolean {
  return identifier.test(value);
}
