/** Everything the page shows of one message. Pure. */
import { answerId, capturedFile } from "../capture/record.ts";
import { type MailEvent, toneOf } from "../terminal/mailevent.ts";
import { waterfalls } from "../trace/waterfall.ts";
import { outlineOf, replyText } from "./outline.ts";
import type { CapturedCopy, Step, StoryOutline, StoryTold } from "./shapes.ts";
import type { History, Story, Told } from "./story.ts";

export interface StoryDetail extends StoryOutline, StoryTold {
  readonly copies: readonly CapturedCopy[];
}

export function detailOf(story: Story, history: History): StoryDetail {
  const original = history.originalOf(story);
  return {
    ...outlineOf(story, history),
    spoolIds: [...story.spoolIds],
    steps: story.told.toSorted((one, other) => one.event.time.localeCompare(other.event.time)).map(stepOf),
    traces: waterfalls(story.spans),
    copies: story.copies.map(({ summary: _summary, ...copy }) => copy),
    noticeOf: original === undefined ? undefined : { id: original.id, subject: outlineOf(original, history).subject },
  };
}

function stepOf({ pod, event }: Told): Step {
  const { msg, noticeId } = event;
  return {
    at: event.time,
    pod,
    what: msg,
    tone: toneOf(event),
    text: textOf({ pod, event }),
    ...(noticeId === undefined ? {} : { notice: noticeId }),
  };
}

function textOf({ event }: Told): string {
  switch (event.msg) {
    case "accepted":
      return `on ${event.listener ?? "a listener"}, for ${people(event.recipients ?? 1)}; safe on disk`;
    case "refused":
      return [event.listener === undefined ? "" : `on ${event.listener}:`, replyText(event)].join(" ").trim();
    case "bounced":
      return "the sender gets a notice of the failure";
    case "notified":
      return `the sender gets a notice: ${event.notice ?? ""}`;
    case "delivered":
    case "captured":
    case "deferred":
    case "failed":
      return [
        event.attempt === undefined ? "" : `attempt ${event.attempt}`,
        `${people(event.recipients ?? 1)} at ${event.recipientDomain ?? "?"}`,
        nextHopText(event),
        replyText(event),
      ]
        .filter((part) => part !== "")
        .join(", ");
  }
}

/** Its own replies tell the capture exchanger from other next hops. */
function nextHopText({ nextHop, reply }: MailEvent): string {
  if (capturedFile(reply) !== undefined || answerId(reply) !== undefined) return "by the capture exchanger";
  return nextHop === undefined ? "" : `by ${nextHop}`;
}

function people(count: number): string {
  return count === 1 ? "1 recipient" : `${count} recipients`;
}
