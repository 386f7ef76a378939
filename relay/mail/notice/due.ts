/**
 * Which notice a recipient's ending calls for (RFC 3461 section 5.2). Pure; it cannot fail.
 *
 * `expanded` and `delivered` never come from here: this relay has no aliases and no mailboxes (RFC 3461 sections 5.2.3, 5.2.7).
 */
import type { NotifyKeyword } from "../envelope.ts";

/** The Action of RFC 3464 section 2.3.3 that a notice reports. */
export type NoticeAction = "failed" | "delayed" | "relayed";

/** `relayed` is a delivery to a next hop that has no DSN; one to a hop that has it passed the duty on. */
export type Ending = "failed" | "deferred" | "relayed" | "passed on";

export interface NoticeQuestion {
  /** "" is the null reverse-path. */
  readonly sender: string;
  readonly notify?: readonly NotifyKeyword[];
  readonly ending: Ending;
  /** Milliseconds since the epoch. */
  readonly acceptedAt: number;
  readonly now: number;
  readonly notifyDelayAfterMs: number;
  readonly delayNotified: boolean;
}

export function dueNotice(question: NoticeQuestion): NoticeAction | undefined {
  // RFC 5321 section 4.5.5 and RFC 3461 section 6.1: mail from nobody is answered to nobody, so no notice about a notice.
  if (question.sender === "") return undefined;
  switch (question.ending) {
    case "failed":
      return wantsNotice("failed", question.notify) ? "failed" : undefined;
    case "relayed":
      return wantsNotice("relayed", question.notify) ? "relayed" : undefined;
    case "deferred":
      return isLate(question) && wantsNotice("delayed", question.notify) ? "delayed" : undefined;
    case "passed on":
      return undefined;
  }
}

/** Without NOTIFY: failures always, delays at the relay's choice (RFC 3461 sections 5.2.5 and 5.2.6), success never. */
export function wantsNotice(action: NoticeAction, notify: readonly NotifyKeyword[] | undefined): boolean {
  if (notify === undefined) return action !== "relayed";
  return notify.includes(keywordOf[action]);
}

const keywordOf: Readonly<Record<NoticeAction, NotifyKeyword>> = {
  failed: "FAILURE",
  delayed: "DELAY",
  relayed: "SUCCESS",
};

/** Once a recipient: a sender that was told knows. */
function isLate({ acceptedAt, now, notifyDelayAfterMs, delayNotified }: NoticeQuestion): boolean {
  return !delayNotified && now >= acceptedAt + notifyDelayAfterMs;
}
