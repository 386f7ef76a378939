/** Which lines of a relay's log are part of a message's story: checked here, because another program wrote them. Pure. */
import { mailEvent } from "../terminal/mailline.ts";
import { parseSpanLine } from "../trace/spanline.ts";
import type { Happening } from "./story.ts";

/** Undefined for a line about something else. */
export function happeningOf(pod: string, fields: Readonly<Record<string, unknown>>): Happening | undefined {
  const span = parseSpanLine(fields);
  if (span !== undefined) return { kind: "span", pod, span };
  const event = mailEvent.safeParse(fields);
  return event.success ? { kind: "mail", pod, event: event.data } : undefined;
}
