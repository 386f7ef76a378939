/**
 * With commandstream.ts the only file that knows smtp-server: its connection and server, with every decision taken away.
 *
 * The library keeps what it does well (the TLS upgrade, SASL exchanges, the order of replies, half-closed sockets). What it
 * decides wrongly for us is overridden here and pinned by server.test.ts against the installed package: which commands exist,
 * what EHLO offers, who may MAIL, and the enhanced code of every reply. A rule that fails unexpectedly is a 451.
 */
import { TLSSocket } from "node:tls";
import { SMTPServer } from "smtp-server";
import type { SMTPServerSession } from "smtp-server";
import { SMTPConnection } from "smtp-server/lib/smtp-connection.js";
import { commandLineOctets } from "../mail/limit.ts";
import { refusal, type Refusal, type Reply } from "../mail/reply.ts";
import type { AuthenticatedUser } from "./admit.ts";
import { parseHelo, parseMail, parseRcpt, refuseData } from "./command.ts";
import { refuseLine, type LineFault } from "./commandline.ts";
import { CommandStream } from "./commandstream.ts";
import { actsForAnother, goodbyeOf, libraryEnhanced, refuseAuth, refuseStartTls } from "./rules.ts";
import type { Login, MailServerOptions, ServerCertificate, SessionRules, SessionState, Transaction } from "./rules.ts";

/** Everything else the library knows (XCLIENT, XFORWARD, WIZ, SHELL, KILL, ...) does not exist here. */
const servedCommands: ReadonlySet<string> = new Set(
  "EHLO HELO STARTTLS AUTH MAIL RCPT DATA RSET NOOP VRFY HELP QUIT".split(" "),
);
const badCommandsAllowed = 10;
const controlCharacter = /[\x00-\x08\x0a-\x1f\x7f]/; // eslint-disable-line no-control-regex
const internalError = refusal(451, "4.3.0", "Internal error, try again later");

export class MailConnection extends SMTPConnection {
  readonly #rules: SessionRules;
  #transaction: Transaction | undefined;
  #user: AuthenticatedUser | undefined;
  #ownEnhanced: string | undefined;
  #enhanced = "";
  #leaving = false;
  #receiving = false;

  constructor(server: MailServer, ...[socket, options]: Parameters<SMTPServer["connect"]>) {
    super(server, socket, options);
    this.#rules = server.rulesFor(this.remoteAddress);
    this.name = this.#rules.hostname;
    server.sessions.set(this.session, this);
  }

  get #state(): SessionState {
    const cipher = this.tlsOptions === false ? undefined : `${this.tlsOptions.version} ${this.tlsOptions.name}`;
    return {
      secure: this.secure,
      cipher,
      helo: this.hostNameAppearsAs === false ? "" : this.hostNameAppearsAs,
      extended: this.openingCommand === "EHLO",
      user: this.#user,
    };
  }

  /** No delay where the client is known: the library makes everybody wait for early talkers. */
  override init(): void {
    this._setListeners(() => {
      const opening = this.#rules.open();
      if (opening.kind === "refusal") return this.reply(opening);
      if (opening.greetingDelayMs === 0) return this.connectionReady();
      setTimeout(() => this.connectionReady(), opening.greetingDelayMs).unref();
    });
  }

  /** The place is free from the goodbye on, so that a client that quits and comes back finds it. */
  override close(): void {
    super.close();
    this.#rules.closed();
  }

  override _onClose(): void {
    super._onClose();
    this.#rules.closed();
  }

  /** Called by the library's constructor, before any field of ours exists. */
  override _createParser(): CommandStream {
    return new CommandStream({
      command: (line, next) => this._onCommand(line, next),
      fault: (fault, next) => this.#lineFault(fault, next),
      batch: (run) => this.#together(run),
      flood: () => this.#cut(),
    });
  }

  /** A reply with the enhanced code it was given. 421 closes the session. */
  reply(reply: { readonly code: number; readonly enhanced?: string; readonly text: string }): void {
    this.#ownEnhanced = reply.enhanced ?? "";
    this.send(reply.code, reply.text);
  }

  override send(code: number, data?: string | string[] | null, context?: string | false): void {
    const text = Array.isArray(data) ? (data[0] ?? "") : (data ?? "");
    // RFC 2034 section 4: none for 3xx, for the greeting and for what answers HELO and EHLO.
    const silent = context === false || (code >= 300 && code < 400);
    this.#enhanced = this.#ownEnhanced ?? (silent ? "" : libraryEnhanced(code, text));
    this.#ownEnhanced = undefined;
    if (code >= 400) this.#rules.refused({ code, enhanced: this.#enhanced, text });
    super.send(code, data, context);
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

  override _getEnhancedStatusCode(): string {
    return this.#enhanced;
  }

  #answer(reply: { readonly code: number; readonly enhanced?: string; readonly text: string }, next: () => void): void {
    this.reply(reply);
    next();
  }

  override _isDisabled(command: string): boolean {
    return !servedCommands.has(command);
  }

  override _onCommand(line: Buffer, callback?: () => void): void {
    const next = callback ?? ((): void => undefined);
    if (this._upgrading || !this._ready || this._closing) return super._onCommand(line, next);
    const exchange = this._nextHandler !== false || line.toString("latin1", 0, 5).toUpperCase() === "AUTH ";
    if (!exchange && line.length > commandLineOctets) return this.#lineFault("long", next);
    if (controlCharacter.test(line.toString("latin1"))) return this.#lineFault("control", next);
    super._onCommand(line, next);
  }

  #lineFault(fault: LineFault, next: () => void): void {
    if (this._upgrading || this._closing) return next();
    // RFC 4954 section 4: a line that is too long ends the exchange.
    this._nextHandler = false;
    this._unrecognizedCommands += 1;
    if (this._unrecognizedCommands >= badCommandsAllowed) return this.reply(refusal(421, "4.7.0", "Too many errors"));
    this.#answer(refuseLine(fault), () => setImmediate(next));
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
    if (this.secure && this.#user === undefined) offered.push("AUTH PLAIN LOGIN");
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

  override handler_AUTH(command: Buffer, callback: () => void): void {
    const inside = this.#transaction !== undefined;
    const refused = refuseAuth(this.#rules.startTls, { secure: this.secure, inside });
    if (refused !== undefined) return this.#answer(refused, callback);
    super.handler_AUTH(command, callback);
  }

  /** The handshake is over. */
  secured(): void {
    this.#rules.secured(this._socket instanceof TLSSocket ? (this._socket.getProtocol() ?? "") : "");
  }

  /** The library's SASL exchange ends here, by way of the server's onAuth. */
  async login(login: Login): Promise<AuthenticatedUser | Error> {
    const result = await this.#rules.login(login).catch(() => internalError);
    if (result.kind === "user") {
      this.#user = result;
      return result;
    }
    // Taken up by the send that the library makes of this error at once.
    this.#ownEnhanced = result.enhanced;
    return Object.assign(new Error(result.text), { responseCode: result.code });
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
    this.#answer({ code: 250, enhanced: "2.1.0", text: "Sender accepted" }, callback);
  }

  override handler_RCPT(command: Buffer, callback: () => void): void {
    const transaction = this.#transaction;
    if (transaction === undefined) return this.#answer(refusal(503, "5.5.1", "Need MAIL command first"), callback);
    const parsed = parseRcpt(command, transaction.mail.smtpUtf8);
    if (parsed.kind === "refusal") return this.#answer(parsed, callback);
    const refused = this.#rules.recipient(transaction, parsed.recipient.address);
    if (refused !== undefined) return this.#answer(refused, callback);
    transaction.recipients.set(parsed.recipient.address, parsed.recipient);
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

  destroy(): void {
    this._socket.destroy();
  }
}

export class MailServer extends SMTPServer {
  readonly rulesFor: (clientAddress: string) => SessionRules;
  readonly sessions = new WeakMap<SMTPServerSession, MailConnection>();
  /** Until their sockets are closed; the library forgets a connection when it says goodbye. */
  readonly open = new Set<MailConnection>();
  readonly #isProxy: (peerAddress: string) => boolean;

  constructor(options: MailServerOptions) {
    super({
      logger: false,
      secure: options.implicitTls,
      minVersion: "TLSv1.2",
      // Our rules decide who may do what: no check of the library's may stand in front of them.
      authOptional: true,
      authMethods: ["PLAIN", "LOGIN"],
      disableReverseLookup: true,
      maxAllowedUnauthenticatedCommands: false,
      socketTimeout: options.idleTimeoutMs,
      maxClients: options.maxClients,
    });
    this.rulesFor = options.rulesFor;
    this.#isProxy = options.isProxy;
  }

  /** Existing sessions keep what they negotiated. */
  setCertificate(certificate: ServerCertificate): void {
    this.updateSecureContext({ cert: certificate.chain, key: certificate.privateKey, minVersion: "TLSv1.2" });
  }

  /** Without a certificate of ours there is no context at all: the library would fall back to its published key. */
  override updateSecureContext(options?: Parameters<SMTPServer["updateSecureContext"]>[0]): void {
    Object.assign(this.options, options);
    if (this.options.cert === undefined) this.secureContext = new Map();
    else super.updateSecureContext();
  }

  override connect(...parameters: Parameters<SMTPServer["connect"]>): void {
    const connection = new MailConnection(this, ...parameters);
    this.connections.add(connection);
    this.open.add(connection);
    parameters[0].once("close", () => this.open.delete(connection));
    connection.on("error", (error: Error) => this._onError(error));
    connection.init();
  }

  override _expectsProxyHeader(socket: Parameters<SMTPServer["connect"]>[0]): boolean {
    return this.#isProxy(socket.remoteAddress ?? "");
  }

  /** Both at once: the library's defer to the next turn, and a client that talks in that gap would be cut off. */
  override onConnect(...[, callback]: Parameters<SMTPServer["onConnect"]>): void {
    callback();
  }

  override onSecure(...[, session, callback]: Parameters<SMTPServer["onSecure"]>): void {
    this.sessions.get(session)?.secured();
    callback();
  }

  override onAuth(...[auth, session, respond]: Parameters<SMTPServer["onAuth"]>): void {
    const connection = this.sessions.get(session);
    if (connection === undefined || actsForAnother(auth))
      return respond(null, { message: "Authentication credentials invalid" });
    connection
      .login({ mechanism: auth.method, username: auth.username ?? "", password: auth.password ?? "" })
      .then((result) => (result instanceof Error ? respond(result) : respond(null, { user: result })), respond);
  }
}
