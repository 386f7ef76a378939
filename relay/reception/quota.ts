/**
 * Quotas of one session: what its transaction holds, and what the client hears when there is no room for it. The domain is that of the
 * header From, and until that is known that of the envelope's sender, which is nearly always the same one.
 */
import type { Amounts, Exhausted, Quota } from "../limits/quota.ts";
import type { QuotaHold } from "../limits/quotahold.ts";
import { refusal, type Refusal } from "../mail/reply.ts";
import type { MessageQuota } from "./accept/incoming.ts";
import type { Client } from "./admit.ts";
import { askAgain } from "./identity/principal.ts";
import type { SessionParts } from "./parts.ts";
import { quotasOf } from "./quotasof.ts";

const none: readonly Quota[] = [];
const nothing: Amounts = { messages: 0, recipients: 0, bytes: 0 };

/** As far as quotas ask: who sends, and when it asked to. */
type Quoted = Pick<Client, "principals" | "at">;

export class SessionQuota {
  readonly #parts: Pick<SessionParts, "snapshots" | "metrics">;
  readonly #hold: QuotaHold;
  #client: Quoted = { principals: [], at: 0 };
  #domain: string | undefined;
  #cost = nothing;
  /** While a message is written it is the message that ends the hold: the client may go, and it is kept all the same. */
  #isReceiving = false;

  constructor(parts: Pick<SessionParts, "snapshots" | "metrics" | "limits">) {
    this.#parts = parts;
    this.#hold = parts.limits.quotas.hold();
  }

  /** At MAIL; `sizeBytes` is what the client says of it (RFC 1870). */
  begin({ principals, at }: Quoted, domain: string | undefined, sizeBytes = 0): Refusal | undefined {
    this.#client = { principals, at };
    this.#domain = domain;
    return this.#change({ messages: 1, recipients: 0, bytes: sizeBytes });
  }

  /** At RCPT: that many with this one. */
  recipients(recipients: number): Refusal | undefined {
    return this.#change({ ...this.#cost, recipients });
  }

  /** The From field is known, and who will get it. */
  from(domain: string, recipients: number): Refusal | undefined {
    this.#domain = domain;
    return this.#change({ ...this.#cost, recipients });
  }

  receiving(): MessageQuota {
    this.#isReceiving = true;
    return {
      charge: (bytes) => this.#change({ ...this.#cost, bytes }) ?? this.#hold.states(),
      ended: (isKept) => {
        this.#isReceiving = false;
        if (isKept) this.#hold.keep();
        this.#hold.cancel();
      },
    };
  }

  /** The transaction is over; more than once is once. */
  cancel(): void {
    if (!this.#isReceiving) this.#hold.cancel();
  }

  #change(cost: Amounts): Refusal | undefined {
    const { snapshots, metrics } = this.#parts;
    const snapshot = snapshots.current();
    const settings = this.#domain === undefined ? undefined : snapshot.domains.get(this.#domain);
    // By what stands no longer nobody is let in, and nobody's limit is used up either.
    const standing = this.#client.principals.flatMap((each) => askAgain(each, snapshot, this.#client.at) ?? []);
    const lacking = this.#hold.change(settings === undefined ? none : quotasOf(settings, standing), cost);
    if (lacking === undefined) {
      this.#cost = cost;
      return undefined;
    }
    metrics.quotaExhausted(lacking, this.#domain ?? "");
    return refusalOf(lacking, cost);
  }
}

const words: Readonly<Record<keyof Amounts, string>> = {
  messages: "messages",
  recipients: "recipients",
  bytes: "octets",
};

function refusalOf({ quota, kind, perHour, waitMs }: Exhausted, cost: Amounts): Refusal {
  const limit = `${quota.field}${kind}PerHour`;
  if (kind === "bytes" && cost.bytes > perHour) {
    return refusal(
      552,
      "5.3.4",
      `The message is larger than ${quota.owner} may send in an hour, ${perHour} octets (${limit})`,
    );
  }
  const seconds = Math.max(1, Math.ceil((waitMs - 1) / 1000));
  const has = `${quota.owner} has sent what it may for now, ${perHour} ${words[kind]} an hour (${limit})`;
  return refusal(450, "4.7.1", `${has}; try again in ${seconds} s`);
}
