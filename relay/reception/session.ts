/**
 * One client's session: reads the snapshot of this moment, asks the pure rules, counts and logs what came of it.
 *
 * Nothing is decided from an old configuration: limits, credentials and grants are those of now, also in a session that is
 * open since yesterday. Logs name domains and replies, never addresses, content or credentials.
 */
import type { Readable } from "node:stream";
import type { ListenerDocument } from "../../api/relayconfig.ts";
import { octetsOf, type Chance, type Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { Gate } from "../administration/gate.ts";
import type { Snapshot, SnapshotSource } from "../config/snapshot.ts";
import { refusal, withoutAddresses, type Refusal, type Reply } from "../mail/reply.ts";
import type { HopTracer } from "../observe/hop.ts";
import type { Journal } from "../observe/journal.ts";
import type { ReceptionMetrics } from "./metrics.ts";
import { destinationsOf } from "../observe/transition.ts";
import { spoolIdOf, type SpoolId } from "../spool/message/id.ts";
import type { ReceivingSpool } from "../spool/start.ts";
import { acceptMessage, insufficientStorage, oversize } from "./accept/accept.ts";
import { admitClient, admitHeader, admitSender, type Client } from "./admit.ts";
import { Logins } from "./identity/logins.ts";
import { mechanismNames } from "./identity/mechanisms.ts";
import type { PasswordCheck } from "./identity/passwords.ts";
import { networkPrincipal, type Principal } from "./identity/principal.ts";
import type { ClientLog } from "./clientlog.ts";
import type { MailCommand } from "../smtp/server/command.ts";
import type { Seat } from "../limits/connections.ts";
import type { Limits } from "../limits/limits.ts";
import type { HeaderRoom } from "./accept/headerroom.ts";
import { clientOf, type NetworkCache } from "../../runtime/network.ts";
import { SessionTrace } from "./sessiontrace.ts";
import { goodbyeOf } from "../smtp/server/rules.ts";
import type { ClientPlace, SessionRules, SessionState, Transaction } from "../smtp/server/rules.ts";

/** What all sessions share. */
export interface SessionParts {
  readonly snapshots: SnapshotSource;
  readonly spool: ReceivingSpool;
  readonly log: Log;
  /** For what a client can cause at will. */
  readonly clientLog: ClientLog;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly metrics: ReceptionMetrics;
  readonly journal: Journal;
  readonly hops: HopTracer;
  readonly passwords: PasswordCheck;
  readonly limits: Pick<Limits, "clients">;
  readonly gate: Gate;
  readonly networks: NetworkCache;
  readonly headerRoom: HeaderRoom;
}

/** A client nobody knows waits this long for the greeting; one that talks before it is no mail client. */
const greetingDelayMs = 100;
const idOctets = 6;
const pastTheProxies = refusal(421, "4.7.1", "This listener takes connections from its load balancers only");

export class SubmissionSession implements SessionRules {
  readonly #parts: SessionParts;
  readonly #opened: ListenerDocument;
  readonly #place: ClientPlace;
  readonly #client: string;
  /** Undefined before it entered, and after it left. */
  #seat: Seat | undefined;
  #notEntered: Refusal | undefined;
  /** Logged in or trusted at any time; a load balancer is no client. */
  #isKnown = false;
  readonly #logins: Logins;
  /** When the transaction was asked for. */
  #mailAt = 0;
  #senderDomain: string | undefined;
  #trust: { readonly networks: readonly string[]; readonly principal: Principal | undefined } | undefined;
  readonly #trace: SessionTrace;

  constructor(parts: SessionParts, listener: ListenerDocument, place: ClientPlace) {
    this.#parts = parts;
    this.#opened = listener;
    this.#place = place;
    this.#client = clientOf(place.address);
    this.#logins = new Logins({
      snapshot: () => this.#snapshot,
      passwords: parts.passwords,
      onEnd: (mechanism, result) => this.#loginEnded(mechanism, result),
    });
    this.#trace = new SessionTrace(parts.hops, { listener: listener.name, peerAddress: place.address });
  }

  get #snapshot(): Snapshot {
    return this.#parts.snapshots.current();
  }

  /** As configured now; as it was when the session began, once the listener is gone. */
  get #listener(): ListenerDocument {
    return this.#snapshot.relay.listeners.find((each) => each.name === this.#opened.name) ?? this.#opened;
  }

  /** Found out once for each list, which belongs to a snapshot. A proxy's own address is nobody's who is trusted. */
  get #network(): Principal | undefined {
    const { trustedNetworks: networks } = this.#listener;
    if (this.#trust?.networks !== networks) {
      const { kind, address } = this.#place;
      const isTrusted = kind === "client" && this.#parts.networks.has(networks, address);
      this.#trust = { networks, principal: isTrusted ? networkPrincipal(address) : undefined };
    }
    return this.#trust.principal;
  }

  get #trusted(): boolean {
    return this.#network !== undefined;
  }

  get hostname(): string {
    return this.#snapshot.relay.hostname;
  }

  get sizeLimitBytes(): number {
    return this.#snapshot.relay.limits.messageSizeBytes;
  }

  get startTls(): SessionRules["startTls"] {
    if (this.#opened.tlsMode !== "StartTLS") return "absent";
    return this.#snapshot.certificate === undefined ? "unready" : "offered";
  }

  get lineEnds(): SessionRules["lineEnds"] {
    return this.#listener.lineEnds === "Lenient" && this.#trusted ? "Lenient" : "Strict";
  }

  leaving(): Refusal | undefined {
    return this.#parts.gate.isOpen() ? undefined : goodbyeOf(this.hostname);
  }

  enter(giveWay: () => void): Refusal | undefined {
    this.#notEntered = this.#place.kind === "outsider" ? pastTheProxies : this.#takeSeat(giveWay);
    return this.#notEntered;
  }

  #takeSeat(giveWay: () => void): Refusal | undefined {
    const newcomer = { client: this.#client, isKnown: this.#trusted, giveWay: () => this.#gaveWay(giveWay) };
    const seat = this.#parts.limits.clients.enter(newcomer, this.#snapshot.relay.limits);
    if (seat.kind === "refusal") return seat;
    this.#seat = seat;
    this.#isKnown = newcomer.isKnown || this.#place.kind === "proxy";
    this.#parts.metrics.connectionOpened(this.#opened.name);
    return undefined;
  }

  #gaveWay(giveWay: () => void): void {
    this.closed();
    giveWay();
  }

  isLoud(): boolean {
    return !this.#trusted && this.#parts.clientLog.isLoud(this.#client);
  }

  open(): ReturnType<SessionRules["open"]> {
    const refused = this.leaving() ?? this.#notEntered;
    if (refused !== undefined) return refused;
    const isKnown = this.#trusted;
    const isServedAtOnce = isKnown || this.#listener.authentication === "Required";
    return { kind: "open", greetingDelayMs: isServedAtOnce ? 0 : greetingDelayMs, isKnown };
  }

  closed(): void {
    this.#trace.reset();
    if (this.#seat === undefined) return;
    this.#seat.leave();
    this.#seat = undefined;
    if (!this.#isKnown) this.#parts.clientLog.disturbed(this.#client);
    this.#parts.metrics.connectionClosed(this.#opened.name);
  }

  greeted(): void {
    this.#trace.greeted();
  }

  secured(protocol: string): void {
    this.#trace.secured(protocol);
  }

  reset(): void {
    this.#trace.reset();
  }

  get mechanisms(): readonly string[] {
    return mechanismNames;
  }

  exchange(mechanism: string): ReturnType<SessionRules["exchange"]> {
    return this.#logins.exchange(mechanism);
  }

  #loginEnded(mechanism: string, result: "success" | "failure"): void {
    this.#parts.metrics.authenticated(mechanism, result);
    if (result === "failure") return;
    this.#trace.loggedIn(mechanism);
    this.#seat?.know();
    this.#isKnown = true;
  }

  mayMail(state: SessionState): Refusal | undefined {
    this.#senderDomain = undefined;
    this.#mailAt = this.#parts.clock.now();
    this.#trace.mailAsked();
    return admitClient(this.#snapshot, this.#clientIn(state));
  }

  mail(state: SessionState, command: MailCommand): Refusal | undefined {
    this.#senderDomain = command.sender?.domain;
    this.#trace.mailFrom(this.#senderDomain);
    if (command.sizeBytes !== undefined && command.sizeBytes > this.sizeLimitBytes)
      return oversize(this.sizeLimitBytes);
    const refused = admitSender(this.#snapshot, this.#clientIn(state), command.sender);
    if (refused !== undefined) return refused;
    if (this.#parts.spool.isFull()) return insufficientStorage;
    this.#trace.mailAdmitted();
    return undefined;
  }

  recipient(transaction: Transaction, address: string): Refusal | undefined {
    const { recipients } = this.#snapshot.relay.limits;
    if (transaction.recipients.size < recipients || transaction.recipients.has(address)) return undefined;
    // RFC 5321 section 4.5.3.1.10: the client sends the rest in another transaction.
    return refusal(452, "4.5.3", `Too many recipients, at most ${recipients}`);
  }

  /** Counted as on its way in until it is committed or given up, also when the client has gone meanwhile. */
  data(state: SessionState, transaction: Transaction, stream: Readable): Promise<Reply | Refusal | undefined> {
    return this.#parts.gate.pass(() => this.#receive(state, transaction, stream));
  }

  async #receive(
    state: SessionState,
    transaction: Transaction,
    stream: Readable,
  ): Promise<Reply | Refusal | undefined> {
    const { clock, spool, metrics, log, journal } = this.#parts;
    const startedAt = clock.now();
    const id = this.#newId(startedAt);
    const result = await acceptMessage(stream, spool, {
      id,
      anotherId: () => this.#newId(startedAt),
      mail: transaction.mail,
      recipients: [...transaction.recipients.values()],
      sizeLimitBytes: this.sizeLimitBytes,
      headerRoom: this.#parts.headerRoom,
      reception: this.#reception(state, transaction),
      admit: (header) => {
        const client = this.#clientIn(state);
        // Who may relay now, which is not who might when the session began.
        this.#trace.headerRead(header, () => admitClient(this.#snapshot, client) === undefined);
        return admitHeader(this.#snapshot, client, header);
      },
      now: () => clock.now(),
      spooling: (storedId, domain) => this.#trace.spooling(storedId, domain),
    });
    if (result === undefined) return undefined;
    if (result.kind === "refusal") {
      if (result.code === 451 && result.cause !== undefined)
        log.error({ spoolId: id, error: result.cause }, "could not store");
      return result;
    }
    const { id: spoolId, domain, sizeBytes, acceptedAt, messageId } = result;
    const listener = this.#opened.name;
    // The cipher is "<version> <suite>" once the session is inside TLS.
    const tls = state.cipher?.split(" ")[0];
    const seconds = (clock.now() - startedAt) / 1000;
    const recipients = transaction.recipients.size;
    const reply = { code: 250, enhanced: "2.6.0", text: `Message accepted as ${spoolId}` };
    const { traceparent, traceId } = this.#trace.accepted(reply, { sizeBytes, recipients });
    metrics.accepted({ listener, domain, tls, sizeBytes, seconds, traceparent });
    const { code, enhanced } = reply;
    const line = { spoolId, domain, listener, sizeBytes, recipients, code, enhanced, traceId };
    journal.write({ kind: "accepted", line }, () => {
      const destinations = destinationsOf(transaction.recipients.values());
      return { spoolId, domain, acceptedAt, sizeBytes, destinations, messageId };
    });
    return reply;
  }

  refused(reply: Reply): void {
    const { code, enhanced = "", text } = reply;
    this.#trace.refused(reply);
    const listener = this.#opened.name;
    this.#parts.metrics.refused(listener, code, enhanced);
    const domain = this.#senderDomain === undefined ? {} : { domain: this.#senderDomain };
    const line = { listener, code, enhanced, reply: withoutAddresses(text), ...domain };
    this.#parts.clientLog.info(this.#client, line, "refused");
  }

  #clientIn(state: SessionState): Client {
    const principals = [this.#logins.principal, this.#network].filter((each) => each !== undefined);
    return { listener: this.#listener, secure: state.secure, principals, at: this.#mailAt };
  }

  #reception(state: SessionState, transaction: Transaction): Parameters<typeof acceptMessage>[2]["reception"] {
    return {
      helo: state.helo,
      clientAddress: this.#place.address,
      by: this.hostname,
      extended: state.extended,
      secure: state.secure,
      authenticated: this.#logins.principal !== undefined,
      smtpUtf8: transaction.mail.smtpUtf8,
      ...(state.cipher === undefined ? {} : { cipher: state.cipher }),
    };
  }

  #newId(now: number): SpoolId {
    return spoolIdOf(now, octetsOf(this.#parts.chance, idOctets));
  }
}
