/**
 * One attempt: one message to the recipients that share a route. Sign, go through the hosts in order, judge.
 *
 * Promise: it never rejects; every recipient has an answer in the end, a host's or what kept us from asking one. What goes wrong
 * on our side defers the message; it is never sent unsigned when its domain has DKIM. Whom delivery.mode holds back is signed for
 * like the others and goes nowhere, also when the mode changes while the attempt is under way.
 */
import { capturedReply, mayLeave, type DeliveryMode } from "../config/mode.ts";
import type { Snapshot } from "../config/snapshot.ts";
import type { HostAnswer, Trouble } from "../mail/hostanswer.ts";
import type { Reply } from "../mail/reply.ts";
import { fewerRecipients, judge } from "./policy/failure.ts";
import { keepsFailing } from "./policy/retry.ts";
import type { Route } from "./policy/route.ts";
import type { AttemptPhase } from "./metrics.ts";
import type { DeliverHop, SendHop } from "../observe/hop.ts";
import { isTrustedNextHop, renderTraceFields } from "../mail/tracefields.ts";
import type { Message, Recipient } from "../spool/message/message.ts";
import type { Pool } from "./pool.ts";
import { nextHopOf } from "./resolve/nexthops.ts";
import type { Found } from "./resolve/mailhosts.ts";
import { signMessage } from "./sign.ts";
import { ConnectError, type NextHop } from "../smtp/client/transport.ts";
import type { Outgoing, TransactionReport } from "../smtp/client/transaction.ts";
import type { HostMemory } from "../limits/hosts.ts";

/** What came of one recipient: what a host says, or nobody was asked because the mail is to stay. */
export type AttemptAnswer =
  | HostAnswer
  /** `signatures` are the fields that it would have left with. */
  | { readonly kind: "captured"; readonly reply: Reply; readonly signatures: Buffer; readonly host?: undefined };

export interface AttemptContext {
  readonly snapshot: Snapshot;
  /** Of the newest configuration, which may come after the snapshot. */
  readonly mode: () => DeliveryMode;
  readonly route: Route;
  readonly pool: Pool;
  readonly hosts: HostMemory;
  readonly readBody: (message: Message) => AsyncIterable<Buffer | string>;
  readonly findHops: (route: Route) => Promise<Found<readonly NextHop[]>>;
  readonly now: number;
  /** See Outgoing. */
  readonly place: () => Promise<void> | undefined;
  /** Measures a phase of the attempt. */
  readonly timed: <T>(phase: AttemptPhase, work: () => Promise<T>) => Promise<T>;
  /** Absent when nothing is traced. */
  readonly hop?: DeliverHop | undefined;
}

/** The last answer for each recipient. */
export async function attemptDelivery(
  message: Message,
  recipients: readonly Recipient[],
  context: AttemptContext,
): Promise<ReadonlyMap<Recipient, AttemptAnswer>> {
  const attempt = new Attempt(message, recipients, context);
  await attempt.run();
  return attempt.answers;
}

/** A recipient whom the host did not take, and why. */
interface Refused {
  readonly recipient: Recipient;
  readonly trouble: Trouble;
}

/** Not for itself, but together with the others. */
interface Crowded extends Refused {
  readonly by: "number" | "mixture";
}

interface Left {
  readonly again: readonly Recipient[];
  readonly elsewhere: readonly Refused[];
}

/**
 * Who of those refused together is tried again at once, and how many recipients the host takes, as far as it shows: whose
 * company was refused says nothing of it.
 * Nobody, when one recipient alone is already too many: that is a quota, and it will pass.
 */
function smallerTransaction(
  tried: number,
  crowded: readonly Crowded[],
): { readonly again: readonly Recipient[]; readonly most?: number } {
  const [first, ...others] = crowded.filter(({ trouble }) => trouble.phase !== "rcpt");
  if (first?.trouble.reply !== undefined && others.length > 0) {
    const most = fewerRecipients(first.trouble.reply, others.length + 1);
    return { again: crowded.map(({ recipient }) => recipient), most };
  }
  const late = crowded.filter(({ trouble }) => trouble.phase === "rcpt");
  const taken = tried - late.length;
  if (taken === 0 || late.length === 0) return { again: [] };
  const again = late.map(({ recipient }) => recipient);
  return late.some(({ by }) => by === "number") ? { again, most: taken } : { again };
}

class Attempt {
  readonly #message: Message;
  readonly #context: AttemptContext;
  readonly #answers = new Map<Recipient, AttemptAnswer>();
  #pending: readonly Recipient[];
  #signatures: Promise<Buffer> | undefined;

  constructor(message: Message, recipients: readonly Recipient[], context: AttemptContext) {
    this.#message = message;
    this.#context = context;
    this.#pending = recipients;
  }

  get answers(): ReadonlyMap<Recipient, AttemptAnswer> {
    return this.#answers;
  }

  async run(): Promise<void> {
    this.#holdBack();
    if (this.#pending.length > 0) await this.#sendOut();
    const held = [...this.#answers].flatMap(([recipient, answer]) => (isWithheld(answer) ? recipient : []));
    // Others may have been held back with them: they go at the next attempt.
    const staying = held.filter((recipient) => !this.#mayLeave(recipient));
    if (staying.length > 0) await this.#capture(staying);
  }

  async #sendOut(): Promise<void> {
    const hops = await this.#ways();
    if (hops.length > 0) await this.#sendBy(hops);
    // Every host was in trouble: what the last one left stays. Without any host there is no answer yet.
    this.#pending = this.#pending.filter((recipient) => !this.#answers.has(recipient));
    this.#endAll({ phase: "local", reason: "no-route" });
  }

  #mayLeave(recipient: Recipient): boolean {
    return mayLeave(this.#context.mode(), recipient);
  }

  /** Those who are to stay are pending no more, and no host hears of them. */
  #holdBack(): void {
    const staying = new Set(this.#pending.filter((recipient) => !this.#mayLeave(recipient)));
    if (staying.size === 0) return;
    for (const recipient of staying) this.#answers.set(recipient, withheld);
    this.#pending = this.#pending.filter((recipient) => !staying.has(recipient));
  }

  /** What cannot be signed waits, here as on the way out. */
  async #capture(recipients: readonly Recipient[]): Promise<void> {
    let answer: AttemptAnswer;
    try {
      const signatures = await this.#signed();
      answer = { kind: "captured", reply: capturedReply(this.#context.mode()), signatures };
    } catch (error) {
      answer = { kind: "trouble", trouble: unsigned(error) };
    }
    for (const recipient of recipients) this.#answers.set(recipient, answer);
  }

  async #sendBy(hops: readonly NextHop[]): Promise<void> {
    let signatures: Buffer;
    try {
      signatures = await this.#signed();
    } catch (error) {
      this.#endAll(unsigned(error));
      return;
    }
    for (const hop of hops) {
      this.#holdBack();
      await this.#tryHop(hop, signatures);
      if (this.#pending.length === 0) return;
    }
  }

  /** The hosts worth a try. When there is none, everybody is left with the trouble that is in the way. */
  async #ways(): Promise<readonly NextHop[]> {
    const { findHops, hosts, route } = this.#context;
    const found = await this.#context.timed("resolve", () => findHops(route));
    if ("trouble" in found) {
      this.#leaveAll({ kind: "trouble", trouble: found.trouble });
      return judge(found.trouble).kind === "deferred" ? this.#fallbacks(undefined) : [];
    }
    const { awake, resting, failingSince } = hosts.choose(found);
    if (resting !== undefined) this.#leaveAll(unreached("resting", resting.trouble, resting.host));
    return [...awake, ...this.#fallbacks(failingSince)];
  }

  /** `fallbackSmarthosts` are for destinations that keep failing, not for those that fail once. */
  #fallbacks(failingSince: number | undefined): readonly NextHop[] {
    const { route, snapshot, now, hosts } = this.#context;
    const { fallbackSmarthosts, retry } = snapshot.relay.delivery;
    const attempts = Math.max(...this.#pending.map((recipient) => recipient.attempts));
    if (route.kind !== "mx" || fallbackSmarthosts.length === 0) return [];
    if (!keepsFailing({ attempts, failingSince, now, retry })) return [];
    return hosts.choose(fallbackSmarthosts.map((smarthost) => nextHopOf(smarthost, snapshot.relay.hostname))).awake;
  }

  /** Once for all recipients of the attempt. */
  #signed(): Promise<Buffer> {
    this.#signatures ??= this.#context.timed("sign", () => this.#sign());
    return this.#signatures;
  }

  #sign(): Promise<Buffer> {
    const message = this.#message;
    const keys = this.#context.snapshot.domains.get(message.domain)?.keys ?? [];
    if (message.mustSign && keys.length === 0)
      return Promise.reject(new Error(`no key of ${message.domain} is loaded`));
    const sign = (): Promise<Buffer> => signMessage(message, keys, this.#context.now);
    return this.#context.hop === undefined || keys.length === 0 ? sign() : this.#context.hop.sign(keys.length, sign);
  }

  /**
   * Sends to the pending recipients by this host, as many at a time as it takes; those it judged, or took, are pending no more.
   * Each round judges one of them at least, or the next is smaller.
   */
  async #tryHop(hop: NextHop, signatures: Buffer): Promise<void> {
    const left: Recipient[] = [];
    let waiting = this.#pending;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, this.#mostAtOnce(hop));
      const rest = waiting.slice(batch.length);
      const sent = await this.#send(hop, batch, signatures);
      if ("unreachable" in sent) {
        this.#pending = [...left, ...waiting];
        this.#leaveAll(unreached("dialed", sent.unreachable, hop));
        return;
      }
      const { again, elsewhere } = this.#read(hop, batch, sent.answers);
      left.push(...elsewhere.map(({ recipient }) => recipient));
      waiting = [...again, ...rest];
      const [first] = elsewhere;
      if (first === undefined) continue;
      // The host is in trouble: that holds for whom it was not asked about, too, unless another host does better.
      const answer: HostAnswer = { kind: "trouble", trouble: first.trouble, host: hop.smarthost.host };
      for (const recipient of waiting) this.#answers.set(recipient, answer);
      left.push(...waiting);
      break;
    }
    // It may have been this message: others still try the host, after those without trouble.
    if (left.length > 0) this.#context.hosts.stumbled(hop);
    this.#pending = left;
  }

  #mostAtOnce(hop: NextHop): number {
    const { recipientsPerMessage = Number.POSITIVE_INFINITY } = hop;
    return Math.min(recipientsPerMessage, this.#context.hosts.mostRecipients(hop));
  }

  async #send(
    hop: NextHop,
    batch: readonly Recipient[],
    signatures: Buffer,
  ): Promise<TransactionReport | { readonly unreachable: Trouble }> {
    const send = this.#context.hop?.send({ ...hop.smarthost, address: hop.address });
    try {
      const mail = this.#outgoing(batch, [this.#traceFields(hop, send), signatures]);
      const report = await this.#transact(hop, mail, send);
      send?.end(report.answers);
      return report;
    } catch (error) {
      const trouble: Trouble = error instanceof ConnectError ? error.trouble : { phase: "local", detail: words(error) };
      send?.end(batch.map(() => ({ kind: "trouble", trouble })));
      this.#context.hosts.failed(hop, trouble, this.#context.snapshot.relay.delivery.retry.firstMs);
      return { unreachable: trouble };
    }
  }

  /** Takes the answers down; who is to be tried again at once, in a smaller transaction or by another host. */
  #read(hop: NextHop, batch: readonly Recipient[], answers: readonly HostAnswer[]): Left {
    const elsewhere: Refused[] = [];
    const crowded: Crowded[] = [];
    batch.forEach((recipient, position) => {
      const answer = answers[position] ?? { kind: "trouble", trouble: { phase: "local" } };
      this.#answers.set(recipient, { ...answer, host: hop.smarthost.host });
      if (answer.kind === "accepted") return;
      const { trouble } = answer;
      const { scope, refusedTogether } = judge(trouble);
      if (scope === "host") elsewhere.push({ recipient, trouble });
      if (refusedTogether !== undefined) crowded.push({ recipient, trouble, by: refusedTogether });
    });
    const { again, most } = smallerTransaction(batch.length, crowded);
    if (most !== undefined) this.#context.hosts.takesAtMost(hop, most);
    return { again, elsewhere };
  }

  /** A kept connection that turns out to be dead costs no attempt: the message goes out on a fresh one at once. */
  async #transact(hop: NextHop, mail: Outgoing, send: SendHop | undefined): Promise<TransactionReport> {
    const { pool, hosts, timed } = this.#context;
    for (let fresh = false; ; fresh = true) {
      const connection = await timed("connect", () => pool.acquire(hop, { fresh }));
      const reused = connection.messages > 0;
      send?.connected(connection);
      const report = await timed("transaction", () => connection.transact(mail));
      pool.release(connection);
      // The pool may give one that somebody else has just kept: that one can be dead too, and there are only so many.
      if (report.stale && reused) continue;
      hosts.answered(hop);
      return report;
    }
  }

  /** One traceparent for a next hop that may see it; unsigned, because the hop after it writes its own. */
  #traceFields(hop: NextHop, send: SendHop | undefined): Buffer {
    const trusted = this.#context.snapshot.relay.tracing?.trustedNextHops ?? [];
    if (send === undefined || !isTrustedNextHop(trusted, hop.smarthost)) return nothing;
    return Buffer.from(renderTraceFields(send.context), "latin1");
  }

  #outgoing(recipients: readonly Recipient[], fields: readonly Buffer[]): Outgoing {
    const message = this.#message;
    const { body, sender, smtpUtf8, eightBit, ret, envid } = message;
    const head = Buffer.concat([...fields, message.header, emptyLine]);
    return {
      sender,
      recipients,
      smtpUtf8,
      eightBit,
      ...(ret === undefined ? {} : { ret }),
      ...(envid === undefined ? {} : { envid }),
      head,
      place: this.#context.place,
      mayLeave: () => recipients.every((recipient) => this.#mayLeave(recipient)),
      body: body.kind === "inline" ? body.bytes : () => this.#context.readBody(message),
      sizeBytes: head.length + (body.kind === "inline" ? body.bytes.length : body.sizeBytes),
    };
  }

  /** The same for everybody who is pending, unless another host does better. */
  #leaveAll(answer: HostAnswer): void {
    for (const recipient of this.#pending) this.#answers.set(recipient, answer);
  }

  #endAll(trouble: Trouble): void {
    this.#leaveAll({ kind: "trouble", trouble });
    this.#pending = [];
  }
}

function unreached(how: "dialed" | "resting", trouble: Trouble, hop: NextHop): HostAnswer {
  return { kind: "trouble", trouble, host: hop.smarthost.host, unreached: how };
}

function unsigned(error: unknown): Trouble {
  return { phase: "local", reason: "cannot-sign", detail: words(error) };
}

const withheld: HostAnswer = { kind: "trouble", trouble: { phase: "local", reason: "withheld" } };

function isWithheld(answer: AttemptAnswer): boolean {
  return answer.kind === "trouble" && answer.trouble.reason === "withheld";
}

const emptyLine = Buffer.from("\r\n", "latin1");
const nothing = Buffer.alloc(0);

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
