/**
 * Recipients of the capture exchanger that behave as their local part says, so that a person can watch a retry, a bounce
 * or a slow receiver. The table is what the page and README print. Pure.
 */

export interface ScriptedReply {
  readonly code: number;
  /** Absent: the usual one of the code. */
  readonly enhanced?: string;
  readonly text: string;
}

export type Behaviour =
  /** RCPT is answered so, every time. */
  | { readonly kind: "refuse"; readonly reply: ScriptedReply }
  /** RCPT is answered so the first `times` times, and accepted after. */
  | { readonly kind: "refuse-first"; readonly times: number; readonly reply: ScriptedReply }
  /** RCPT is answered so until `forMs` after the first try. */
  | { readonly kind: "refuse-early"; readonly forMs: number; readonly reply: ScriptedReply }
  /** The end of the message is answered so. */
  | { readonly kind: "refuse-content"; readonly reply: ScriptedReply }
  /** The answer to the message comes late. */
  | { readonly kind: "wait"; readonly forMs: number }
  /** The connection is cut after the message instead of an answer. */
  | { readonly kind: "cut" };

export interface BehaviourRow {
  readonly localPart: string;
  /** Continues "the capture exchanger ...". */
  readonly does: string;
  readonly behaviour: Behaviour;
}

const refusedTwice = 2;
const greylistMs = 5_000;
const slowMs = 5_000;

/** By local part; `local+anything` is the same. A whole number from 400 to 599 is the reply of that code. */
export const behaviourRows: readonly BehaviourRow[] = [
  {
    localPart: "tempfail",
    does: "answers 451 to the first two tries of a message and takes the third",
    behaviour: {
      kind: "refuse-first",
      times: refusedTwice,
      reply: { code: 451, enhanced: "4.3.0", text: "is out of order for two tries" },
    },
  },
  {
    localPart: "greylist",
    does: "answers 451 for the first 5 seconds, then takes the message",
    behaviour: {
      kind: "refuse-early",
      forMs: greylistMs,
      reply: { code: 451, enhanced: "4.7.1", text: "is greylisted, try again in 5 seconds" },
    },
  },
  {
    localPart: "slow",
    does: "takes the message and needs 5 seconds for it",
    behaviour: { kind: "wait", forMs: slowMs },
  },
  {
    localPart: "full",
    does: "answers 452 4.2.2 every time: retries, a delay notice, and a bounce at the end",
    behaviour: { kind: "refuse", reply: { code: 452, enhanced: "4.2.2", text: "has a full mailbox" } },
  },
  {
    localPart: "refuse",
    does: "answers 550 5.1.1: no such user, a bounce at once",
    behaviour: { kind: "refuse", reply: { code: 550, enhanced: "5.1.1", text: "is no user here" } },
  },
  {
    localPart: "spam",
    does: "reads the message and answers 550 5.7.1",
    behaviour: {
      kind: "refuse-content",
      reply: { code: 550, enhanced: "5.7.1", text: "does not want this message" },
    },
  },
  {
    localPart: "drop",
    does: "cuts the connection instead of answering the message: retries, and a bounce at the end",
    behaviour: { kind: "cut" },
  },
];

/** How the page and README spell the numbers. */
export const codeRow = {
  localPart: "451, 550, …",
  does: "answers with that code, any from 400 to 599",
} as const;

/** Undefined for everybody else: they are simply taken. */
export function behaviourOf(address: string): Behaviour | undefined {
  const [localPart = ""] = address.toLowerCase().split(/[@+]/, 1);
  const row = behaviourRows.find((candidate) => candidate.localPart === localPart);
  if (row !== undefined) return row.behaviour;
  if (!/^[45][0-9]{2}$/.test(localPart)) return undefined;
  return { kind: "refuse", reply: { code: Number(localPart), text: `asked for ${localPart}` } };
}

/** What happened before with the same message and recipient. */
export interface Tries {
  /** How many there were. */
  readonly count: number;
  /** ms since the epoch; undefined when this is the first. */
  readonly firstAt: number | undefined;
}

/** The answer to RCPT; undefined accepts. */
export function answerRecipient(
  behaviour: Behaviour | undefined,
  tries: Tries,
  now: number,
): ScriptedReply | undefined {
  switch (behaviour?.kind) {
    case "refuse":
      return behaviour.reply;
    case "refuse-first":
      return tries.count < behaviour.times ? behaviour.reply : undefined;
    case "refuse-early":
      return now - (tries.firstAt ?? now) < behaviour.forMs ? behaviour.reply : undefined;
    case "refuse-content":
    case "wait":
    case "cut":
    case undefined:
      return undefined;
  }
}

export interface ContentPlan {
  readonly waitMs: number;
  readonly cut: boolean;
  readonly refusal: { readonly address: string; readonly reply: ScriptedReply } | undefined;
}

/** What becomes of the message, which its recipients share: the strictest of their wishes. */
export function planContent(addresses: readonly string[]): ContentPlan {
  const plan = { waitMs: 0, cut: false, refusal: undefined as ContentPlan["refusal"] };
  for (const address of addresses) {
    const behaviour = behaviourOf(address);
    if (behaviour?.kind === "wait") plan.waitMs = Math.max(plan.waitMs, behaviour.forMs);
    if (behaviour?.kind === "cut") plan.cut = true;
    if (behaviour?.kind === "refuse-content") plan.refusal ??= { address, reply: behaviour.reply };
  }
  return plan;
}
