/**
 * One client's session: reads the snapshot of this moment, asks the pure rules, counts and logs what came of it.
 *
 * Nothing is decided from an old configuration: limits, credentials and grants are those of now, also in a session that is
 * open since yesterday. Logs name domains and replies, never addresses, content or credentials.
 */
import type { Readable } from "node:stream";
import type { ListenerDocument } from "../../api/relayconfig.ts";
import { octetsOf } from "../../runtime/clock.ts";
import { staying } from "../config/mode.ts";
import type { Snapshot } from "../config/snapshot.ts";
import type { EnvelopeRecipient } from "../mail/envelope.ts";
import type { Header } from "../mail/header.ts";
import { refusal, withoutAddresses, type Refusal, type Reply } from "../mail/reply.ts";
import type { SessionParts } from "./parts.ts";
import { spoolIdOf, type SpoolId } from "../spool/message/id.ts";
import { after, type Answer } from "../../runtime/answer.ts";
import { acceptMessage, insufficientStorage } from "./accept/accept.ts";
import { announce } from "./accept/announce.ts";
import { oversize, type Admitted, type IncomingOptions } from "./accept/incoming.ts";
import { Asking, type Silence } from "./checks/asking.ts";
import type { MessageQuestion, SenderQuestion } from "./checks/check.ts";
import { SessionVerdict } from "./checks/sessionverdict.ts";
import { isStopped, stopped, verdictOf, type Passed } from "./checks/verdict.ts";
import { admitClient, admitHeader, admitSender, type Client } from "./admit.ts";
import { Logins } from "./identity/logins.ts";
import { ClientNetwork } from "./clientnetwork.ts";
import { Handshake } from "./handshake.ts";
import type { MailCommand } from "../smtp/server/command.ts";
import type { Seat } from "../limits/connections.ts";
import { clientOf } from "../../runtime/network.ts";
import { SessionQuota } from "./quota.ts";
import { restrained } from "./restrained.ts";
import { SessionTrace } from "./sessiontrace.ts";
import { ParentTold } from "./told.ts";
import { goodbyeOf } from "../smtp/server/rules.ts";
import type { ClientOrigin, Envelope, Greeting, Secured, SessionRules, SessionState } from "../smtp/server/rules.ts";

/** A client nobody knows waits this long for the greeting; one that talks before it is no mail client. */
const greetingDelayMs = 100;
const idOctets = 6;
/** By whom the house's own rules refuse. */
const admission = "admission";

export class ReceptionSession implements SessionRules {
  readonly #parts: SessionParts;
  readonly #opened: ListenerDocument;
  readonly #origin: ClientOrigin;
  readonly #client: string;
  /** Undefined before it entered, and after it left. */
  #seat: Seat | undefined;
  #notEntered: Refusal | undefined;
  /** Logged in or trusted at any time; a load balancer is no client. */
  #isKnown = false;
  readonly #network: ClientNetwork;
  readonly #handshake: Handshake;
  readonly #logins: Logins;
  /** When the transaction was asked for. */
  #mailAt = 0;
  #senderDomain: string | undefined;
  readonly #trace: SessionTrace;
  readonly #told: ParentTold;
  readonly #asking: Asking;
  readonly #verdict = new SessionVerdict();
  readonly #quota: SessionQuota;

  constructor(parts: SessionParts, listener: ListenerDocument, origin: ClientOrigin) {
    this.#parts = parts;
    this.#opened = listener;
    this.#origin = origin;
    this.#client = clientOf(origin.address);
    this.#network = new ClientNetwork(origin, parts.networks, () => this.#listener);
    this.#handshake = new Handshake({
      listener: () => this.#listener,
      snapshot: () => this.#snapshot,
      now: () => parts.clock.now(),
    });
    this.#logins = new Logins({
      snapshot: () => this.#snapshot,
      passwords: parts.passwords,
      tokens: parts.tokens,
      uses: parts.uses,
      restraint: restrained(parts, { listener: listener.name, client: this.#client, isSpared: () => this.#trusted }),
      now: () => parts.clock.now(),
      onExpired: (secrets) => this.#loginExpired(secrets),
      certificate: (authzid) => this.#handshake.prove(authzid),
      onEnd: (mechanism, result, username) => this.#loginEnded(mechanism, result, username),
    });
    this.#trace = new SessionTrace(parts.hops, { listener: listener.name, peerAddress: origin.address });
    this.#told = new ParentTold(parts.parent, listener.name);
    this.#quota = new SessionQuota(parts);
    this.#asking = new Asking((check, silence) => this.#unanswered(check, silence));
  }

  get #snapshot(): Snapshot {
    return this.#parts.snapshots.current();
  }

  /** As configured now; as it was when the session began, once the listener is gone. */
  get #listener(): ListenerDocument {
    return this.#snapshot.relay.listeners.find((each) => each.name === this.#opened.name) ?? this.#opened;
  }

  get #trusted(): boolean {
    return this.#network.principal !== undefined;
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
    this.#notEntered = this.#network.barred ?? this.#takeSeat(giveWay);
    return this.#notEntered;
  }

  #takeSeat(giveWay: () => void): Refusal | undefined {
    const newcomer = { client: this.#client, isKnown: this.#trusted, giveWay: () => this.#gaveWay(giveWay) };
    const seat = this.#parts.limits.clients.enter(newcomer, this.#snapshot.relay.limits);
    if (seat.kind === "refusal") return seat;
    this.#seat = seat;
    this.#isKnown = newcomer.isKnown || this.#origin.kind === "proxy";
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

  open(): Answer<Greeting | Refusal> {
    const admitted = verdictOf(admission, this.leaving() ?? this.#notEntered);
    const verdict = this.#asking.ask(admitted, this.#parts.checks().connect, () => ({
      listener: this.#opened.name,
      origin: this.#origin,
      isTrusted: this.#trusted,
    }));
    return after(verdict, (all) => (isStopped(all) ? this.#verdict.stopped(all) : this.#open(all)));
  }

  #open(verdict: Passed): Greeting {
    this.#verdict.opened(verdict);
    const isKnown = this.#trusted;
    const isServedAtOnce = isKnown || this.#listener.authentication === "Required";
    return { kind: "open", greetingDelayMs: isServedAtOnce ? 0 : greetingDelayMs, isKnown };
  }

  closed(): void {
    this.#asking.end();
    this.#trace.reset();
    this.#quota.cancel();
    if (this.#seat === undefined) return;
    this.#seat.leave();
    this.#seat = undefined;
    if (!this.#isKnown) this.#parts.clientLog.disturbed(this.#client);
    this.#parts.metrics.connectionClosed(this.#opened.name);
  }

  greeted(): void {
    this.#trace.greeted();
  }

  secured({ protocol, channel, peer }: Secured): boolean {
    this.#logins.secured(channel);
    const result = this.#handshake.done(peer);
    if (result !== undefined) this.#parts.metrics.clientCertificate(this.#opened.name, result);
    this.#trace.secured(protocol, result);
    const { isEnough } = this.#handshake;
    if (isEnough) this.#known();
    return isEnough;
  }

  #known(): void {
    this.#seat?.know();
    this.#isKnown = true;
  }

  reset(): void {
    this.#trace.reset();
    this.#verdict.reset();
    this.#quota.cancel();
  }

  /** Under what name its lines are counted. Those of known sessions have a rate of their own: they make nobody loud. */
  get #logged(): string {
    return this.#isKnown ? `${this.#client} known` : this.#client;
  }

  /** A check's failure is ours, and a client can cause as many as it likes. */
  #unanswered(check: string, silence: Silence): void {
    this.#parts.metrics.checkSilent(check, silence.kind);
    const error = silence.kind === "failed" ? { error: String(silence.error) } : {};
    const line = { listener: this.#opened.name, check, reason: silence.kind, ...error };
    this.#parts.clientLog.info(this.#logged, line, "a check gave no answer");
  }

  get mechanisms(): readonly string[] {
    return this.#handshake.offered(this.#logins.mechanisms);
  }

  exchange(mechanism: string): ReturnType<SessionRules["exchange"]> {
    const refused = this.#handshake.refuse(mechanism);
    return refused === undefined ? this.#logins.exchange(mechanism) : () => Promise.resolve(refused);
  }

  /** Names Secrets, and never whose login it was. */
  #loginExpired(secrets: readonly string[]): void {
    this.#parts.clientLog.info(this.#logged, { listener: this.#opened.name, secrets }, "the time of a login is over");
  }

  #loginEnded(mechanism: string, result: "success" | "failure", username: string | undefined): void {
    this.#parts.metrics.authenticated(mechanism, result);
    if (result === "failure") return this.#told.loginFailed(username);
    this.#trace.loggedIn(mechanism);
    this.#known();
  }

  mayMail(state: SessionState): Refusal | undefined {
    this.#senderDomain = undefined;
    this.#mailAt = this.#parts.clock.now();
    this.#asking.begin();
    this.#trace.mailAsked();
    return this.#network.elsewhere ?? admitClient(this.#snapshot, this.#clientIn(state));
  }

  mail(state: SessionState, command: MailCommand): Answer<Refusal | undefined> {
    this.#senderDomain = command.sender?.domain;
    this.#trace.mailFrom(this.#senderDomain);
    const admitted = verdictOf(admission, this.#admitSender(state, command));
    const verdict = this.#asking.ask(admitted, this.#parts.checks().sender, () => ({
      ...this.#askedBy(state),
      mail: command,
    }));
    return after(verdict, (all) => {
      const refused = this.#verdict.concluded(all);
      if (refused === undefined) this.#trace.mailAdmitted();
      else this.#quota.cancel();
      return refused;
    });
  }

  #admitSender(state: SessionState, command: MailCommand): Refusal | undefined {
    if (command.sizeBytes !== undefined && command.sizeBytes > this.sizeLimitBytes)
      return oversize(this.sizeLimitBytes);
    const client = this.#clientIn(state);
    const refused = admitSender(this.#snapshot, client, command.sender);
    if (refused !== undefined) return refused;
    if (this.#parts.spool.isFull()) return insufficientStorage;
    return this.#quota.begin(client, command.sender?.domain, command.sizeBytes);
  }

  recipient(state: SessionState, envelope: Envelope, recipient: EnvelopeRecipient): Answer<Refusal | undefined> {
    // Named twice, it is one recipient, and was judged.
    if (envelope.recipients.has(recipient.address)) return undefined;
    this.#asking.begin();
    const admitted = verdictOf(admission, this.#admitRecipient(envelope));
    const verdict = this.#asking.ask(admitted, this.#parts.checks().recipient, () => ({
      ...this.#askedBy(state),
      envelope,
      recipient,
    }));
    return after(verdict, (all) => this.#verdict.concluded(all));
  }

  #admitRecipient(envelope: Envelope): Refusal | undefined {
    const { recipients } = this.#snapshot.relay.limits;
    const { size } = envelope.recipients;
    if (size < recipients) return this.#quota.recipients(size + 1);
    // RFC 5321 section 4.5.3.1.10: the client sends the rest in another transaction.
    return refusal(452, "4.5.3", `Too many recipients, at most ${recipients}`);
  }

  /** Counted as on its way in until it is committed or given up, also when the client has gone meanwhile. */
  data(state: SessionState, envelope: Envelope, stream: Readable): Promise<Reply | Refusal | undefined> {
    return this.#parts.gate.pass(() => this.#receive(state, envelope, stream));
  }

  async #receive(state: SessionState, envelope: Envelope, stream: Readable): Promise<Reply | Refusal | undefined> {
    const { clock, spool, metrics, log, journal } = this.#parts;
    const startedAt = clock.now();
    this.#asking.begin();
    const id = this.#newId(startedAt);
    const result = await acceptMessage(stream, spool, {
      id,
      anotherId: () => this.#newId(startedAt),
      mail: envelope.mail,
      recipients: [...envelope.recipients.values()],
      sizeLimitBytes: this.sizeLimitBytes,
      headerRoom: this.#parts.headerRoom,
      received: this.#received(state, envelope),
      admit: (header) => this.#admit(state, envelope, header),
      quota: this.#quota.receiving(),
      stopped: (verdict) => this.#verdict.stopped(verdict),
      staying: (address) => staying(this.#snapshot.relay.delivery, address),
      now: () => clock.now(),
      spooling: (storedId, domain) => this.#trace.spooling(storedId, domain),
    });
    if (result === undefined) return undefined;
    if (result.kind === "refusal") {
      if (result.code === 451 && result.cause !== undefined)
        log.error({ spoolId: id, error: result.cause }, "could not store");
      return result;
    }
    this.#logins.used();
    this.#told.accepted(result.id, envelope);
    const { recipients } = envelope;
    const seconds = (clock.now() - startedAt) / 1000;
    const told = { metrics, journal, trace: this.#trace };
    return announce(told, result, { listener: this.#opened.name, cipher: state.cipher, recipients, seconds });
  }

  refused(reply: Reply): void {
    const { code, enhanced = "", text } = reply;
    this.#trace.refused(reply);
    const listener = this.#opened.name;
    this.#parts.metrics.refused(listener, code, enhanced);
    const domain = this.#senderDomain === undefined ? {} : { domain: this.#senderDomain };
    const by = this.#verdict.told() ?? admission;
    const check = by === admission ? {} : { check: by };
    const line = { listener, code, enhanced, reply: withoutAddresses(text), ...domain, ...check };
    this.#parts.clientLog.info(this.#logged, line, "refused");
  }

  /** The rules of the house, and then whoever else looks at headers. */
  #admit(state: SessionState, envelope: Envelope, header: Header): Answer<Admitted | Refusal> {
    const client = this.#clientIn(state);
    this.#told.headerRead(header);
    // Who may relay now, which is not who might when the session began.
    this.#trace.headerRead(header, () => admitClient(this.#snapshot, client) === undefined);
    const admitted = admitHeader(this.#snapshot, client, header);
    if (admitted.kind === "refusal") return this.#verdict.stopped(stopped(admission, admitted));
    const exhausted = this.#quota.from(admitted.domain, envelope.recipients.size);
    if (exhausted !== undefined) return this.#verdict.stopped(stopped(admission, exhausted));
    const question = (): MessageQuestion => ({ ...this.#askedBy(state), envelope, header, admission: admitted });
    const checks = this.#parts.checks();
    return after(this.#asking.ask(this.#verdict.soFar, checks.header, question), (verdict) =>
      isStopped(verdict)
        ? this.#verdict.stopped(verdict)
        : {
            kind: "admitted",
            admission: admitted,
            verdict,
            tap: () => this.#asking.tap(checks.content, question),
          },
    );
  }

  #askedBy(state: SessionState): Omit<SenderQuestion, "mail"> {
    return { origin: this.#origin, client: this.#clientIn(state), session: state };
  }

  #clientIn(state: SessionState): Client {
    const network = this.#network.principal;
    const proven = this.#handshake.principals(this.#logins.principal);
    const principals = network === undefined ? proven : [...proven, network];
    const { shown } = this.#handshake;
    return { listener: this.#listener, secure: state.secure, principals, shown, at: this.#mailAt };
  }

  #received(state: SessionState, envelope: Envelope): IncomingOptions["received"] {
    return {
      helo: state.helo,
      clientAddress: this.#origin.address,
      by: this.hostname,
      extended: state.extended,
      secure: state.secure,
      authenticated: this.#logins.principal !== undefined,
      smtpUtf8: envelope.mail.smtpUtf8,
      ...(state.cipher === undefined ? {} : { cipher: state.cipher }),
    };
  }

  #newId(now: number): SpoolId {
    return spoolIdOf(now, octetsOf(this.#parts.chance, idOctets));
  }
}
