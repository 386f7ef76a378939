/**
 * A session of smtp-server, with every decision taken away. With server.ts and commandstream.ts the only file that knows the library.
 *
 * The library keeps what it does well (the TLS upgrade, the order of replies). What it decides wrongly for us is
 * overridden here and pinned by server.test.ts against the installed package: which commands exist, what EHLO offers, who may
 * MAIL, how SASL exchanges go, the enhanced code of every reply, how long a client may take and how often it may be refused, and that a client which
 * has sent all it wants to say hears every reply to it. A rule that fails unexpectedly is a 451.
 */
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { SMTPServer } from "smtp-server";
import { SMTPConnection } from "smtp-server/lib/smtp-connection.js";
import { commandLineOctets } from "../../mail/limit.ts";
import { refusal, type Refusal, type Reply } from "../../mail/reply.ts";
import { parseHelo, parseMail, parseRcpt, refuseData } from "./command.ts";
import { refuseLine, type LineFault } from "./commandline.ts";
import { CommandStream } from "./commandstream.ts";
import { SessionWatch } from "./sessionwatch.ts";
import { isRefusal, isSlowed, isTooMany, type Patience } from "./patience.ts";
import { goodbyeOf, libraryEnhanced, refuseAuth, refuseStartTls, replyLines } from "./rules.ts";
import type { SessionRules, SessionState, Transaction } from "./rules.ts";
import { beginExchange, goOn, type SaslStep } from "./sasl.ts";

/** Everything else the library knows (XCLIENT, XFORWARD, WIZ, SHELL, KILL, ...) does not exist here. */
const servedCommands: ReadonlySet<string> = new Set(
  "EHLO HELO STARTTLS AUTH MAIL RCPT DATA RSET NOOP VRFY HELP QUIT".split(" "),
);
const badCommandsAllowed = 10;
/** What a client is called that logs in without having said its name inside TLS. */
const noName = "unknown";
const controlCharacter = /[\x00-\x08\x0a-\x1f\x7f]/; // eslint-disable-line no-control-regex
const internalError = refusal(451, "4.3.0", "Internal error, try again later");
const tooManyErrors = refusal(421, "4.7.0", "Too many errors");

export interface SessionOpening {
  readonly rules: SessionRules;
  readonly patience: Patience;
}

export class MailConnection extends SMTPConnection {
  readonly #rules: SessionRules;
  #transaction: Transaction | undefined;
  #isLoggedIn = false;
  #ownEnhanced: string | undefined;
  #leaving = false;
  #receiving = false;
  /** Since the last message that was taken. */
  #refusals = 0;
  #commands = 0;
  readonly #patience: Patience;
  readonly #watch: SessionWatch;
  /** The socket that the others are below: during a handshake the one that is being made secure. */
  #top: Socket;

  constructor(server: SMTPServer, opening: SessionOpening, ...[socket, options]: Parameters<SMTPServer["connect"]>) {
    super(server, socket, options);
    this.#rules = opening.rules;
    this.#patience = opening.patience;
    this.#watch = new SessionWatch(opening.patience, {
      busyWith: () => this.#busyWith(),
      timeOut: () => this.#timeOut(),
    });
    this.#top = socket;
    this.name = this.#rules.hostname;
  }

  get #state(): SessionState {
    const cipher = this.tlsOptions === false ? undefined : `${this.tlsOptions.version} ${this.tlsOptions.name}`;
    return {
      secure: this.secure,
      cipher,
      helo: this.hostNameAppearsAs === false ? "" : this.hostNameAppearsAs,
      // Who logs in speaks the extended protocol, whatever it was called by before TLS.
      extended: this.openingCommand === "EHLO" || this.#isLoggedIn,
    };
  }

  /** No delay where the client is known: the library makes everybody wait for early talkers. */
  override init(): void {
    this._setListeners(() => {
      const opening = this.#rules.open();
      if (opening.kind === "refusal") return this.reply(opening);
      if (opening.isKnown) this.#watch.known();
      this.#watch.start();
      if (opening.greetingDelayMs === 0) return this.connectionReady();
      setTimeout(() => this.connectionReady(), opening.greetingDelayMs).unref();
    });
  }

  /** The place is free from the goodbye on, so that a client that quits and comes back finds it. */
  override close(): void {
    this.#watch.stop();
    super.close();
    this.#rules.closed();
  }

  override _onClose(): void {
    this.#watch.stop();
    super._onClose();
    this.#rules.closed();
  }

  /** The place is another's now. */
  giveWay(): void {
    if (this._upgrading) return this.destroy();
    this.reply(refusal(421, "4.3.2", "Too many connections, log in sooner"));
  }

  #busyWith(): "reply" | "message" | undefined {
    if (this.#receiving) return "message";
    return this._handlerPending ? "reply" : undefined;
  }

  #timeOut(): void {
    if (this._closing || this._closed) return;
    if (this._upgrading) return this.destroy();
    const isStranger = this.#watch.standing.kind === "stranger";
    this.reply(refusal(421, "4.4.2", isStranger ? "Timeout, you have not logged in" : "Timeout, nothing was sent"));
  }

  /** Everything that the client had to say was read and answered: it may have closed its side only to say so. */
  #inputEnded(): void {
    if (this._upgrading || this._closing || this._closed) return;
    // A message that will never be whole.
    if (this.#receiving) return this.destroy();
    this.close();
  }

  override _armTimeout(socket: Socket = this._socket): void {
    this.#top = socket;
    super._armTimeout(socket);
  }

  /** Called by the library's constructor, before any field of ours exists. */
  override _createParser(): CommandStream {
    return new CommandStream({
      command: (line, next) => this._onCommand(line, next),
      fault: (fault, next) => this.#lineFault(fault, next),
      batch: (run) => this.#together(run),
      flood: () => this.#cut(),
      isLenient: () => this.#rules.lineEnds === "Lenient",
      end: () => this.#inputEnded(),
    });
  }

  /** A reply with the enhanced code it was given. 421 closes the session. */
  reply(reply: { readonly code: number; readonly enhanced?: string; readonly text: string }): void {
    this.#ownEnhanced = reply.enhanced ?? "";
    this.send(reply.code, reply.text);
  }

  /**
   * The only place that writes. The library's says nothing any more to a client that has closed its own side, which is when it
   * waits for its replies. While a handshake runs nothing can be said, as it would be in the clear and in its midst.
   */
  override send(code: number, data?: string | string[] | null, context?: string | false): void {
    const lines = Array.isArray(data) ? data : [data ?? ""];
    const [text = ""] = lines;
    // RFC 2034 section 4: none for 3xx, for the greeting and for what answers HELO and EHLO.
    const silent = context === false || (code >= 300 && code < 400);
    const enhanced = this.#ownEnhanced ?? (silent ? "" : libraryEnhanced(code, text));
    this.#ownEnhanced = undefined;
    const isCounted = isRefusal({ code, enhanced }, this.#watch.standing);
    if (isCounted) this.#refusals += 1;
    // Each costs us more than the client.
    if (isCounted && code !== 421 && isTooMany(this.#refusals, this.#watch.standing)) return this.reply(tooManyErrors);
    if (code >= 400) this.#rules.refused({ code, enhanced, text });
    const socket = this._socket;
    if (!this._upgrading && socket.writable) socket.write(replyLines(code, enhanced, lines));
    if (code === 421) this.close();
  }

  /** The replies to commands that came together leave together (RFC 2920 section 3.2): a packet and a system call, not ten. */
  #together(run: () => void): void {
    const socket = this._socket;
    socket.cork();
    try {
      run();
    } finally {
      socket.uncork();
    }
  }

  #answer(reply: { readonly code: number; readonly enhanced?: string; readonly text: string }, next: () => void): void {
    this.reply(reply);
    next();
  }

  override _isDisabled(command: string): boolean {
    return !servedCommands.has(command);
  }

  override _onCommand(line: Buffer, callback?: () => void): void {
    this.#commands += 1;
    const next = (): void => this.#afterPause(callback ?? ((): void => undefined));
    if (this._upgrading || !this._ready || this._closing) return super._onCommand(line, next);
    const exchange = this._nextHandler !== false || line.toString("latin1", 0, 5).toUpperCase() === "AUTH ";
    if (!exchange && line.length > commandLineOctets) return this.#lineFault("long", next);
    if (controlCharacter.test(line.toString("latin1"))) return this.#lineFault("control", next);
    if (this.hostNameAppearsAs === false && this.#needsNoName(line)) this.hostNameAppearsAs = noName;
    super._onCommand(line, next);
  }

  #afterPause(next: () => void): void {
    const talk = { commands: this.#commands, isLoud: this.#rules.isLoud() };
    if (isSlowed(this.#watch.standing, talk)) setTimeout(next, this.#patience.pauseMs).unref();
    else next();
  }

  /**
   * RFC 3207 section 4.2 has us forget the name that was said before TLS, and many clients do not say it again: AUTH is taken all
   * the same, and so is mail from who has logged in.
   */
  #needsNoName(line: Buffer): boolean {
    const isAuth = line.toString("latin1", 0, 5).toUpperCase() === "AUTH ";
    return this.secure && this.#rules.startTls !== "absent" && (isAuth || this.#isLoggedIn);
  }

  #lineFault(fault: LineFault, next: () => void): void {
    if (this._upgrading || this._closing) return next();
    // RFC 4954 section 4: a line that is too long ends the exchange.
    this._nextHandler = false;
    this._unrecognizedCommands += 1;
    if (this._unrecognizedCommands >= badCommandsAllowed) return this.reply(tooManyErrors);
    this.#answer(refuseLine(fault), () => setImmediate(() => this._whenWritable(next)));
  }

  override _resetSession(): void {
    super._resetSession();
    this.#transaction = undefined;
    this.#rules.reset();
  }

  override handler_EHLO(command: Buffer, callback: () => void): void {
    const offered = ["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN"];
    offered.push(`SIZE ${this.#rules.sizeLimitBytes}`);
    if (!this.secure && this.#rules.startTls === "offered") offered.push("STARTTLS");
    if (this.secure && !this.#isLoggedIn) offered.push(`AUTH ${this.#rules.mechanisms.join(" ")}`);
    this.#hello(command, [this.name, ...offered], callback);
  }

  override handler_HELO(command: Buffer, callback: () => void): void {
    this.#hello(command, [this.name], callback);
  }

  /**
   * RFC 5321 section 4.1.4: it resets the session as RSET does. The name is checked for its form only, and cleaned in
   * Received.
   */
  #hello(command: Buffer, lines: string[], callback: () => void): void {
    const name = parseHelo(command);
    if (name === undefined) {
      this.send(501, "Syntax: EHLO or HELO and your host name", false);
      return callback();
    }
    this.hostNameAppearsAs = name;
    this._resetSession();
    this.#rules.greeted();
    this.send(250, lines, false);
    callback();
  }

  override handler_STARTTLS(command: Buffer, callback: () => void): void {
    const refused = this.secure ? undefined : refuseStartTls(this.#rules.startTls);
    if (refused !== undefined) return this.#answer(refused, callback);
    // What is to be read before the handshake must be on its way before it.
    this._socket.uncork();
    super.handler_STARTTLS(command, callback);
  }

  override upgrade(...[callback, secureCallback]: Parameters<SMTPConnection["upgrade"]>): void {
    // A handshake that nobody is there for would be kept until its timeout.
    if (this._socket.destroyed) return callback();
    super.upgrade(callback, secureCallback);
    this.#watch.handshaking();
  }

  override handler_AUTH(command: Buffer, callback: () => void): void {
    const session = { secure: this.secure, inside: this.#transaction !== undefined, isLoggedIn: this.#isLoggedIn };
    const refused = refuseAuth(this.#rules.startTls, session);
    if (refused !== undefined) return this.#answer(refused, callback);
    const first = beginExchange(command, (name) => this.#rules.exchange(name));
    this.#exchange(first, callback);
  }

  #exchange(next: Promise<SaslStep>, callback: () => void): void {
    const settled = (step: SaslStep): void => {
      if (step.kind === "challenge") {
        this._nextHandler = (line, done) => this.#exchange(goOn(step, line), done);
        return this.#answer({ code: 334, text: step.data.toString("base64") }, callback);
      }
      if (step.kind === "refusal") return this.#answer(step, callback);
      this.#isLoggedIn = true;
      this.#watch.known();
      this.#answer({ code: 235, enhanced: "2.7.0", text: "Authentication successful" }, callback);
    };
    next.then(settled, () => settled(internalError));
  }

  /** The handshake is over. */
  secured(): void {
    this.#watch.handshaken();
    this.#rules.secured(this._socket instanceof TLSSocket ? (this._socket.getProtocol() ?? "") : "");
  }

  override handler_MAIL(command: Buffer, callback: () => void): void {
    if (this.#transaction !== undefined) {
      return this.#answer(refusal(503, "5.5.1", "Nested MAIL command"), callback);
    }
    const refused = this.#rules.leaving() ?? this.#rules.mayMail(this.#state);
    if (refused !== undefined) return this.#answer(refused, callback);
    const mail = parseMail(command);
    if (mail.kind === "refusal") return this.#answer(mail, callback);
    const decision = this.#rules.mail(this.#state, mail);
    if (decision !== undefined) return this.#answer(decision, callback);
    this.#transaction = { mail, recipients: new Map() };
    this.#watch.progressed();
    this.#answer({ code: 250, enhanced: "2.1.0", text: "Sender accepted" }, callback);
  }

  override handler_RCPT(command: Buffer, callback: () => void): void {
    const transaction = this.#transaction;
    if (transaction === undefined) return this.#answer(refusal(503, "5.5.1", "Need MAIL command first"), callback);
    const session = { smtpUtf8: transaction.mail.smtpUtf8, hostname: this.#rules.hostname };
    const parsed = parseRcpt(command, session);
    if (parsed.kind === "refusal") return this.#answer(parsed, callback);
    const refused = this.#rules.recipient(transaction, parsed.recipient.address);
    if (refused !== undefined) return this.#answer(refused, callback);
    transaction.recipients.set(parsed.recipient.address, parsed.recipient);
    this.#watch.progressed();
    this.#answer({ code: 250, enhanced: "2.1.5", text: "Recipient accepted" }, callback);
  }

  override handler_DATA(command: Buffer, callback: () => void): void {
    const transaction = this.#transaction;
    const parser = this._parser;
    const refused = this.#rules.leaving() ?? refuseData(command, transaction?.recipients.size ?? 0);
    if (transaction === undefined || refused !== undefined) return this.#answer(refused ?? internalError, callback);
    if (parser === false) return callback();
    const stream = parser.startDataMode(this.#rules.sizeLimitBytes);
    this._dataStream = stream;
    this.#receiving = true;
    const settled = (reply: Reply | Refusal | undefined): void => this.#endData(reply);
    this.#rules.data(this.#state, transaction, stream).then(settled, () => settled(internalError));
    this.send(354, "End data with <CR><LF>.<CR><LF>");
    callback();
  }

  #endData(reply: Reply | Refusal | undefined): void {
    this._dataStream = false;
    this.#receiving = false;
    this.#watch.progressed();
    if (reply?.code === 250) this.#refusals = 0;
    if (reply !== undefined) this.reply(reply);
    this._transactionCounter += 1;
    this._unrecognizedCommands = 0;
    this._resetSession();
    if (this.#leaving) return this.#goodbye();
    if (this._parser !== false) this._parser.continue();
  }

  /** A client that sends on past twice the limit does not read replies either: it hears 552 and loses the connection. */
  #cut(): void {
    this.reply(refusal(552, "5.3.4", `The message is larger than the limit of ${this.#rules.sizeLimitBytes} octets`));
    this.close();
  }

  /** True while a message is between DATA and its reply: the time in which leaving would make the client guess. */
  get receiving(): boolean {
    return this.#receiving;
  }

  /** Says 421 now, or after the reply to the message under way (RFC 5321 section 3.8). */
  leave(): void {
    this.#leaving = true;
    if (!this.#receiving) this.#goodbye();
  }

  /** The order to leave is taken back: who is inside DATA keeps the session after all. */
  stay(): void {
    this.#leaving = false;
  }

  #goodbye(): void {
    if (this._closing || this._closed) return;
    this.reply(goodbyeOf(this.name));
  }

  /** From the top: a handshake whose socket is taken away below it ends the process. */
  destroy(): void {
    this.#top.destroy();
  }
}
