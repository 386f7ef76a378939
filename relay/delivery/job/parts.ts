/**
 * How the recipients of a message are parted into transactions. Pure.
 *
 * One recipient can end a transaction for all that are in it (421 to its RCPT, or the connection is cut). The others were not
 * judged, and would share its trouble at each retry until they expire; so the next transactions of the message are a tenth as
 * large, and after two such ends everybody is alone. This is remembered for the newest messages and not kept over a restart: then
 * the message learns it again, at one retry more.
 */
import type { HostAnswer, Phase } from "../../mail/hostanswer.ts";
import { judge } from "../policy/failure.ts";
import type { Route } from "../policy/route.ts";
import type { Recipient } from "../../spool/message/message.ts";
import type { SpoolId } from "../../spool/message/id.ts";

/** RFC 5321 section 4.5.3.1.8: a server must take at least 100 recipients; more in one transaction is asking for 452. */
export const recipientsPerTransaction = 100;

const shrink = 10;
const rememberedMessages = 10_000;
/** Where the recipients are what differs between transactions; before, trouble is the host's or the sender's. */
const partingPhases: ReadonlySet<Phase> = new Set(["rcpt", "data"]);

export interface Part {
  readonly route: Route;
  readonly recipients: readonly Recipient[];
}

/** Splits recipients by route, keeping their order, and each group at the limit of a transaction. */
export function groupRecipients(
  recipients: readonly Recipient[],
  routeOf: (recipient: Recipient) => Route,
  most = recipientsPerTransaction,
): readonly Part[] {
  const groups = new Map<string, { readonly route: Route; readonly all: Recipient[] }>();
  for (const recipient of recipients) {
    const route = routeOf(recipient);
    const group = groups.get(route.key);
    if (group === undefined) groups.set(route.key, { route, all: [recipient] });
    else group.all.push(recipient);
  }
  return [...groups.values()].flatMap(({ route, all }) =>
    Array.from({ length: Math.ceil(all.length / most) }, (_, part) => ({
      route,
      recipients: all.slice(part * most, (part + 1) * most),
    })),
  );
}

export class Parting {
  readonly #sizes = new Map<SpoolId, number>();

  /** Recipients of the message in one transaction, at most. */
  sizeFor(id: SpoolId): number {
    return this.#sizes.get(id) ?? recipientsPerTransaction;
  }

  /** Learns from the answers to one transaction. */
  learn(id: SpoolId, answers: readonly HostAnswer[]): void {
    if (answers.length < 2 || !answers.some(brokeOff)) return;
    const size = Math.min(this.sizeFor(id), Math.ceil(answers.length / shrink));
    this.#sizes.delete(id);
    this.#sizes.set(id, size);
    for (const oldest of this.#sizes.keys()) {
      if (this.#sizes.size <= rememberedMessages) return;
      this.#sizes.delete(oldest);
    }
  }
}

function brokeOff(answer: HostAnswer): boolean {
  return answer.kind === "trouble" && partingPhases.has(answer.trouble.phase) && judge(answer.trouble).scope === "host";
}
