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
import { isLater, type Answer } from "../../../runtime/answer.ts";
import { refusal, type Refusal, type Reply } from "../../mail/reply.ts";
import { channelOf, channelWithoutName } from "./channel.ts";
import { parseHelo } from "./command.ts";
import { faultOf, isAuth, refuseLine, type LineFault } from "./commandline.ts";
import { CommandStream } from "./commandstream.ts";
import { EnvelopeCommands } from "./envelopecommands.ts";
import { SessionEnd, type Ending } from "./sessionend.ts";
import { SessionWatch, type Business } from "./sessionwatch.ts";
import type { Patience } from "./patience.ts";
import { peerCertificateOf } from "./peercertificate.ts";
import { greetingOf, libraryEnhanced, refuseAuth, refuseStartTls, replyLines } from "./rules.ts";
import type { Greeting, SessionRules, SessionState } from "./rules.ts";
import { beginExchange, goOn, type SaslStep } from "./sasl.ts";

/** Everything else the library knows (XCLIENT, XFORWARD, WIZ, SHELL, KILL, ...) does not exist here. */
const servedCommands: ReadonlySet<string> = new Set(
  "EHLO HELO STARTTLS AUTH MAIL RCPT DATA RSET NOOP VRFY HELP QUIT".split(" "),
);
const badCommandsAllowed = 10;
const noLine = Buffer.alloc(0);
/** What a client is called that logs in without having said its name inside TLS. */
const noName = "unknown";
const internalError = refusal(451, "4.3.0", "Internal error, try again later");
const tooManyErrors = refusal(421, "4.7.0", "Too many errors");

export interface SessionTerms {
  readonly rules: SessionRules;
  readonly patience: Patience;
}

export class MailConnection extends SMTPConnection implements Ending {
  readonly end = new SessionEnd(this);
  readonly #rules: SessionRules;
  readonly #envelope: EnvelopeCommands;
  #isLoggedIn = false;
  #ownEnhanced: string | undefined;
  #receiving = false;
  /** While it is not known yet whether the session may begin. */
  #opening: Promise<void> | undefined;
  readonly #patience: Patience;
  readonly #watch: SessionWatch;
  /** The socket that the others are below: during a handshake the one that is being made secure. */
  #top: Socket;

  constructor(server: SMTPServer, terms: SessionTerms, ...[socket, options]: Parameters<SMTPServer["connect"]>) {
    super(server, socket, options);
    this.#rules = terms.rules;
    this.#envelope = new EnvelopeCommands(terms.rules);
    this.#patience = terms.patience;
    this.#watch = new SessionWatch(terms.patience, {
      busyWith: () => this.#busyWith(),
      timeOut: (why) => this.end.timeOut(why),
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
      this.#opening = this.#decided(this.#rules.open(), (greeting) => this.#opened(greeting));
    });
  }

  #opened(greeting: Greeting | Refusal): void {
    this.#opening = undefined;
    if (greeting.kind === "refusal") {
      this.reply(greetingOf(greeting));
      return this.close();
    }
    if (greeting.isKnown) this.#watch.known();
    this.#watch.start();
    if (greeting.greetingDelayMs === 0) return this.connectionReady();
    setTimeout(() => this.connectionReady(), greeting.greetingDelayMs).unref();
  }

  /**
   * Goes on with a decision: at once where it is there, or when it comes, unless the session has ended meanwhile and nobody is there
   * to answer. Then the promise resolves when what came of it was done; it never rejects.
   */
  #decided<T>(decision: Answer<T>, go: (value: T | Refusal) => void): Promise<void> | undefined {
    if (!isLater(decision)) {
      go(decision);
      return undefined;
    }
    return Promise.resolve(decision)
      .catch(() => internalError)
      .then((value) => {
        if (!this.isOver) this.#together(() => go(value));
      })
      .catch(() => this.destroy());
  }

  /** Nobody hears anything any more. */
  get isOver(): boolean {
    return this._closing || this._closed;
  }

  get isHandshaking(): boolean {
    return this._upgrading;
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

  #busyWith(): Business | undefined {
    const until = this._parser instanceof CommandStream ? this._parser.dataUntil : undefined;
    if (until !== undefined) return { kind: "message", until };
    return this.#receiving || this._handlerPending ? { kind: "reply" } : undefined;
  }

  override _armTimeout(socket: Socket = this._socket): void {
    this.#top = socket;
    super._armTimeout(socket);
  }

  /** Called by the library's constructor, before any field of ours exists. */
  override _createParser(): CommandStream {
    return new CommandStream({
      command: (line, next) => this._onCommand(line, next),
      fault: (fault, next) => this.#onFault(fault, next),
      batch: (run) => this.#together(run),
      flood: () => this.end.flooded(this.#rules.sizeLimitBytes),
      isLenient: () => this.#rules.lineEnds === "Lenient",
      end: () => this.end.inputEnded(),
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
    if (this.#watch.replied({ code, enhanced })) return this.reply(tooManyErrors);
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
    if (this.#opening !== undefined) return this.#hold(() => this._onCommand(line, callback));
    this.#watch.commanded();
    const next = (): void => this.#afterPause(callback ?? ((): void => undefined));
    if (this._upgrading || !this._ready || this._closing) return super._onCommand(line, next);
    const fault = faultOf(line, this._nextHandler !== false);
    if (fault !== undefined) return this.#lineFault(fault, next);
    if (this.hostNameAppearsAs === false && this.#needsNoName(line)) this.hostNameAppearsAs = noName;
    super._onCommand(line, next);
  }

  /**
   * What a client says before it is known whether its session may begin is looked at when that is known. Only then can be told whether
   * it should have waited for the greeting.
   */
  #hold(look: () => void): void {
    void this.#opening
      ?.then(() => {
        if (!this.isOver) this.#together(look);
      })
      .catch(() => this.destroy());
  }

  #afterPause(next: () => void): void {
    const pauseMs = this.#watch.pauseMs(this.#rules.isLoud());
    if (pauseMs === undefined) next();
    else setTimeout(next, pauseMs).unref();
  }

  /**
   * RFC 3207 section 4.2 has us forget the name that was said before TLS, and many clients do not say it again: AUTH is taken all
   * the same, and so is mail from who has logged in.
   */
  #needsNoName(line: Buffer): boolean {
    return this.secure && this.#rules.startTls !== "absent" && (isAuth(line) || this.#isLoggedIn);
  }

  /** A line that is no command. Nothing is answered to it before the greeting: the library ends the session of an early talker. */
  #onFault(fault: LineFault, next: () => void): void {
    if (this.#opening !== undefined) return this.#hold(() => this.#onFault(fault, next));
    if (!this._ready && !this._upgrading && !this._closing) return super._onCommand(noLine, next);
    this.#lineFault(fault, next);
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
    this.#envelope.reset();
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
    const session = { secure: this.secure, inside: this.#envelope.isOpen, isLoggedIn: this.#isLoggedIn };
    const refused = refuseAuth(this.#rules.startTls, session);
    if (refused !== undefined) return this.#answer(refused, callback);
    const first = beginExchange(command, (name) => this.#rules.exchange(name));
    this.#exchange(first, callback);
  }

  #exchange(next: Promise<SaslStep>, callback: () => void): void {
    void this.#decided(next, (step) => {
      if (step.kind === "challenge") {
        this._nextHandler = (line, done) => this.#exchange(goOn(step, line), done);
        return this.#answer({ code: 334, text: step.data.toString("base64") }, callback);
      }
      if (step.kind === "refusal") return this.#answer(step, callback);
      this.#isLoggedIn = true;
      this.#watch.known();
      this.#answer({ code: 235, enhanced: "2.7.0", text: "Authentication successful" }, callback);
    });
  }

  /** The handshake is over; `endPoints` are those of the certificates that may have been shown in it. */
  secured(endPoints: readonly (Buffer | undefined)[]): void {
    this.#watch.handshaken();
    const socket = this._socket;
    const secured =
      socket instanceof TLSSocket
        ? { protocol: socket.getProtocol() ?? "", channel: channelOf(socket, endPoints) }
        : { protocol: "", channel: channelWithoutName };
    if (this.#rules.secured({ ...secured, peer: peerCertificateOf(socket) })) this.#watch.known();
  }

  override handler_MAIL(command: Buffer, callback: () => void): void {
    this.#answerWhenDecided(this.#envelope.mail(command, this.#state), callback);
  }

  override handler_RCPT(command: Buffer, callback: () => void): void {
    this.#answerWhenDecided(this.#envelope.rcpt(command, this.#state), callback);
  }

  #answerWhenDecided(decision: Answer<Reply>, next: () => void): void {
    void this.#decided(decision, (reply) => {
      if (reply.code === 250) this.#watch.progressed();
      this.#answer(reply, next);
    });
  }

  override handler_DATA(command: Buffer, callback: () => void): void {
    const parser = this._parser;
    const envelope = this.#envelope.data(command);
    if ("kind" in envelope) return this.#answer(envelope, callback);
    if (!(parser instanceof CommandStream)) return callback();
    const stream = parser.receive(this.#rules.sizeLimitBytes, this.#patience);
    this._dataStream = stream;
    this.#receiving = true;
    const settled = (reply: Reply | undefined): void => this.#endData(reply);
    this.#rules.data(this.#state, envelope, stream).then(settled, () => settled(internalError));
    this.send(354, "End data with <CR><LF>.<CR><LF>");
    callback();
  }

  #endData(reply: Reply | undefined): void {
    this._dataStream = false;
    this.#receiving = false;
    this.#watch.progressed();
    if (reply?.code === 250) this.#watch.pardoned();
    if (reply !== undefined && !this.isOver) this.reply(reply);
    this._transactionCounter += 1;
    this._unrecognizedCommands = 0;
    this._resetSession();
    if (this.end.messageAnswered()) return;
    if (this._parser !== false) this._parser.continue();
  }

  /** True while a message is between DATA and its reply: the time in which leaving would make the client guess. */
  get receiving(): boolean {
    return this.#receiving;
  }

  /** From the top: a handshake whose socket is taken away below it ends the process. */
  destroy(): void {
    this.#top.destroy();
  }
}
