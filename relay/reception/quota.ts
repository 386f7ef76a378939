/**
 * Quotas of one session: what its transaction holds, and what the client hears when there is no room for it. The domain is that of the
 * header From, and until that is known that of the envelope's sender, which is nearly always the same one.
 */
import { domainQuota, namespaceOwner, tenantQuota } from "../../api/administration.ts";
import type { DomainSettings } from "../config/snapshot.ts";
import type { Amounts, Exhausted, Quota } from "../limits/quota.ts";
import type { QuotaHold } from "../limits/quotahold.ts";
import { refusal, type Refusal } from "../mail/reply.ts";
import type { MessageQuota } from "./accept/incoming.ts";
import type { SessionParts } from "./parts.ts";

const none: readonly Quota[] = [];
const nothing: Amounts = { messages: 0, recipients: 0, bytes: 0 };

export class SessionQuota {
  readonly #parts: Pick<SessionParts, "snapshots" | "metrics">;
  readonly #hold: QuotaHold;
  #domain: string | undefined;
  #cost = nothing;
  /** While a message is written it is the message that ends the hold: the client may go, and it is kept all the same. */
  #isReceiving = false;

  constructor(parts: Pick<SessionParts, "snapshots" | "metrics" | "limits">) {
    this.#parts = parts;
    this.#hold = parts.limits.quotas.hold();
  }

  /** At MAIL; `sizeBytes` is what the client says of it (RFC 1870). */
  begin(domain: string | undefined, sizeBytes = 0): Refusal | undefined {
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
    const settings = this.#domain === undefined ? undefined : snapshots.current().domains.get(this.#domain);
    const lacking = this.#hold.change(settings === undefined ? none : quotasOf(settings), cost);
    if (lacking === undefined) {
      this.#cost = cost;
      return undefined;
    }
    metrics.quotaExhausted(lacking, this.#domain ?? "");
    return refusalOf(lacking, cost);
  }
}

/** Settings are of a snapshot, and many messages come in the life of one. */
const known = new WeakMap<DomainSettings, readonly Quota[]>();

export function quotasOf(settings: DomainSettings): readonly Quota[] {
  const before = known.get(settings);
  if (before !== undefined) return before;
  const { domain, limits, tenant, senderDomain } = settings.document;
  const quotas: Quota[] = [];
  const own = perHourOf(limits);
  if (own !== undefined) quotas.push({ key: domainQuota(domain), owner: domain, field: "spec.limits.", perHour: own });
  const shared = tenant === undefined ? undefined : perHourOf(tenant.limits);
  if (tenant !== undefined && shared !== undefined) {
    const { namespace } = senderDomain;
    const field = `limits of the relay's tenants entry ${tenant.name}: `;
    const owner = namespaceOwner(namespace);
    quotas.push({ key: tenantQuota(tenant.name, namespace), owner, field, perHour: shared });
  }
  known.set(settings, quotas);
  return quotas;
}

function perHourOf(limits: DomainSettings["document"]["limits"]): Quota["perHour"] | undefined {
  const { messagesPerHour, recipientsPerHour, bytesPerHour } = limits;
  if (messagesPerHour === undefined && recipientsPerHour === undefined && bytesPerHour === undefined) return undefined;
  return {
    ...(messagesPerHour === undefined ? {} : { messages: messagesPerHour }),
    ...(recipientsPerHour === undefined ? {} : { recipients: recipientsPerHour }),
    ...(bytesPerHour === undefined ? {} : { bytes: bytesPerHour }),
  };
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
