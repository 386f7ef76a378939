/** How numbers, times and replies read on a terminal. Pure. */
import { printable } from "../../runtime/terminal.ts";
import { formatReply, withoutAddresses, type Reply } from "../mail/reply.ts";

const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** `0.412 s`, `42 s`, `5 m 3 s`, `2 d 4 h`: as much as a person wants to know. */
export function elapsed(ms: number): string {
  const whole = Math.max(0, ms);
  if (whole < 10 * secondMs) return `${(whole / secondMs).toFixed(3)} s`;
  if (whole < minuteMs) return `${Math.floor(whole / secondMs)} s`;
  if (whole < hourMs) return twoUnits(whole, [minuteMs, "m"], [secondMs, "s"]);
  if (whole < dayMs) return twoUnits(whole, [hourMs, "h"], [minuteMs, "m"]);
  return twoUnits(whole, [dayMs, "d"], [hourMs, "h"]);
}

type Unit = readonly [ms: number, name: string];

function twoUnits(ms: number, [large, largeName]: Unit, [small, smallName]: Unit): string {
  const rest = Math.floor((ms % large) / small);
  return `${Math.floor(ms / large)} ${largeName}${rest === 0 ? "" : ` ${rest} ${smallName}`}`;
}

/** `in 12 s` or `now`. */
export function until(at: number, now: number): string {
  return at <= now ? "now" : `in ${elapsed(at - now)}`;
}

/** `1 recipient`, `1,200 recipients`. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/** On one line, without addresses. */
export function replyWords(reply: Reply): string {
  return printable(withoutAddresses(formatReply(reply)));
}
