/**
 * Connections to next hops: the only importer of nodemailer. The library connects, negotiates TLS, logs in and puts
 * replies together; what is said between MAIL and the final reply is ours (transaction.ts).
 *
 * Its internals that we rely on are listed in `Internals` and pinned by the contract test beside this file.
 * Every error leaves here as Trouble, so that relay/mail/outcome.ts can decide.
 */
import { TLSSocket } from "node:tls";
import { isIP, type Socket } from "node:net";
import SMTPConnection from "nodemailer/lib/smtp-connection";
import type { SMTPConnectionOptions } from "nodemailer/lib/smtp-connection";
import type { SmarthostDocument } from "../../api/relayconfig.ts";
import type { LocalReason, Phase, Trouble } from "../mail/outcome.ts";
import type { ConnectionLimits } from "../mail/destination.ts";
import { parseReply, type Reply } from "../mail/reply.ts";
import { LineLostError, transact, type Outgoing, type SmtpLine, type TransactionReport } from "./transaction.ts";

export interface NextHop {
  /** Connections with the same key are interchangeable. */
  readonly key: string;
  readonly smarthost: SmarthostDocument;
  /** Dialed instead of the host's name, which TLS and people still go by; absent, the name is looked up. */
  readonly address?: string;
  /** The name we give with EHLO. */
  readonly helo: string;
  /** Hops with the same key share them; absent: the pool's own, for this hop alone. */
  readonly limits?: ConnectionLimits;
}

/** RFC 5321 section 4.5.3.2; connecting is given less, because another host may be waiting for its turn. */
export interface Patience {
  readonly connectMs: number;
  readonly greetingMs: number;
  readonly commandMs: number;
  readonly endMs: number;
}

export const patience: Patience = { connectMs: 30_000, greetingMs: 300_000, commandMs: 300_000, endMs: 600_000 };

const quitMs = 2_000;

/** A connection could not be opened. */
export class ConnectError extends Error {
  override readonly name = "ConnectError";
  readonly trouble: Trouble;

  constructor(trouble: Trouble) {
    super(`${trouble.phase}: ${trouble.reason ?? trouble.detail ?? "trouble"}`);
    this.trouble = trouble;
  }
}

export interface HopConnection {
  readonly hop: NextHop;
  /** Messages sent so far, failed ones included. */
  readonly messages: number;
  readonly alive: boolean;
  readonly peerAddress: string | undefined;
  /** Such as `1.3`; undefined without TLS. */
  readonly tlsVersion: string | undefined;
  /** Never rejects; one at a time. */
  transact(mail: Outgoing): Promise<TransactionReport>;
  /** Says QUIT and closes. */
  quit(): void;
  destroy(): void;
  onEnd(listener: () => void): void;
}

interface Internals {
  _responseActions: ((raw: string) => void)[];
  _responseQueue: string[];
  _supportedExtensions: string[];
  _maxAllowedSize: number;
  _pendingSend: { callback: (error: unknown) => void; stream: false; onStreamError: () => void } | false;
  _remainingSetupTime(): number;
  _onConnect(): void;
  _actionGreeting(raw: string): void;
  _actionEHLO(raw: string): void;
  _actionSTARTTLS(raw: string): void;
  _processResponse(): void;
  _onServerClosing(raw: string): void;
  _upgradeConnection(done: (error: Error | null, secured?: boolean) => void): void;
}

const Connection = SMTPConnection as unknown as new (options: SMTPConnectionOptions) => SMTPConnection & Internals;

class Session extends Connection implements SmtpLine {
  readonly nextHop: string;
  phase: Phase = "connect";
  tlsOffered = false;
  readonly #patience: Patience;
  readonly #lost = new AbortController();
  readonly #inbox: Reply[] = [];
  #loss: LineLostError | undefined;
  #wake: (() => void) | undefined;
  #inDialogue = false;
  #extensions: ReadonlySet<string> = new Set();

  constructor(options: SMTPConnectionOptions, nextHop: string, times: Patience) {
    super(options);
    this.nextHop = nextHop;
    this.#patience = times;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  get output(): Socket {
    const socket = this._socket;
    if (!socket) throw new LineLostError("there is no connection");
    return socket;
  }

  get maxSizeBytes(): number {
    return this._maxAllowedSize;
  }

  offers(extension: string): boolean {
    return this.#extensions.has(extension);
  }

  /** From here on losing the connection is told to whoever waits for a reply, not as an error event. */
  startDialogue(): void {
    this.#inDialogue = true;
    this.#extensions = new Set(this._supportedExtensions);
    this.on("error", (error: unknown) => this.lose(lossOf(error)));
    this.once("end", () => this.lose(new LineLostError("the connection was closed")));
  }

  beginTransaction(): void {
    this.#inbox.length = 0;
    this._pendingSend = {
      callback: (error) => this.lose(lossOf(error)),
      stream: false,
      onStreamError: () => undefined,
    };
  }

  endTransaction(): void {
    this._pendingSend = false;
  }

  lose(loss: LineLostError): void {
    this.#loss ??= loss;
    this.#lost.abort();
    this.#wake?.();
  }

  command(commands: readonly string[]): void {
    const text = commands.join("\r\n");
    if (/[\0\r\n]/.test(commands.join(""))) throw new Error("a command would hold a line end");
    for (const _ of commands) this.expectReply();
    this.output.write(`${text}\r\n`, "utf8");
  }

  expectReply(): void {
    this._responseActions.push((raw) => {
      const reply = parseReply(raw);
      // Whatever is in the way there, it has not judged the message, and nobody knows what its next reply answers.
      if (reply === undefined) return this.drop(`no SMTP reply: ${raw.slice(0, 100)}`);
      this.#inbox.push(reply);
      // RFC 5321 section 3.8: nothing follows a 421, so that what is still expected is answered by it too.
      if (reply.code === 421) this.#loss ??= new LineLostError("the next hop closes the connection", reply);
      this.#wake?.();
    });
  }

  async nextReply(): Promise<Reply> {
    for (;;) {
      const reply = this.#inbox.shift();
      if (reply !== undefined) return reply;
      if (this.#loss !== undefined) throw this.#loss;
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
  }

  setPatience(phase: "command" | "end"): void {
    this.output.setTimeout(phase === "end" ? this.#patience.endMs : this.#patience.commandMs);
  }

  drop(detail = "the connection was dropped"): void {
    this.lose(new LineLostError(detail));
    this.close();
  }

  /** The library would cut the greeting by what is left of the time to connect, which is far less than RFC 5321 asks. */
  override _remainingSetupTime(): number {
    return this.#patience.greetingMs;
  }

  /**
   * The library takes one reply a turn of the event loop, and forgets those that arrived together with the end of the
   * connection. Replies to a transaction are taken all at once.
   */
  override _processResponse(): void {
    while (this.#inDialogue && !this.destroyed && this._responseActions.length > 0) {
      const raw = this._responseQueue.shift();
      if (raw === undefined) return;
      if (raw.trim() === "") continue;
      // The library holds bytes as Latin-1; RFC 6531 section 3.7.4 makes UTF-8 of replies possible.
      const text = Buffer.from(raw, "latin1").toString("utf8");
      this._responseActions.shift()?.call(this, text);
      if (text.startsWith("421")) {
        this._onServerClosing(text);
        return;
      }
    }
    if (this._responseQueue.length > 0) super._processResponse();
  }

  override _onConnect(): void {
    this.phase = "greeting";
    super._onConnect();
  }

  override _actionGreeting(raw: string): void {
    if (raw.startsWith("220")) this.phase = "ehlo";
    super._actionGreeting(raw);
  }

  override _actionEHLO(raw: string): void {
    this.tlsOffered = /^\d+[ -]STARTTLS\b/im.test(raw);
    super._actionEHLO(raw);
  }

  override _actionSTARTTLS(raw: string): void {
    this.phase = "tls";
    super._actionSTARTTLS(raw);
  }

  override _upgradeConnection(done: (error: Error | null, secured?: boolean) => void): void {
    super._upgradeConnection((error, secured) => {
      if (!error) this.phase = "ehlo";
      done(error, secured);
    });
  }
}

/** Connects, says EHLO, negotiates TLS and logs in. Rejects with ConnectError. */
export async function openConnection(hop: NextHop, times: Patience = patience): Promise<HopConnection> {
  try {
    return await dial(hop, hop.smarthost.tlsMode, times);
  } catch (error) {
    const opportunistic = hop.smarthost.tlsMode === "Opportunistic" && hop.smarthost.credentials === undefined;
    // RFC 7435: opportunistic security prefers mail in the clear to no mail; who wants otherwise says Required.
    if (!opportunistic || !(error instanceof ConnectError) || error.trouble.phase !== "tls") throw error;
    return dial(hop, "None", times);
  }
}

async function dial(hop: NextHop, tlsMode: SmarthostDocument["tlsMode"], times: Patience): Promise<HopConnection> {
  const { host, port, ca } = hop.smarthost;
  const verified = tlsMode === "Required" || tlsMode === "Implicit";
  const session = new Session(
    {
      host: hop.address ?? host,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      port,
      name: hop.helo,
      secure: tlsMode === "Implicit",
      requireTLS: tlsMode === "Required",
      ignoreTLS: tlsMode === "None",
      opportunisticTLS: tlsMode === "Opportunistic",
      allowInternalNetworkInterfaces: true,
      connectionTimeout: times.connectMs,
      dnsTimeout: times.connectMs,
      greetingTimeout: times.greetingMs,
      socketTimeout: times.commandMs,
      socketCloseTimeout: 2_000,
      tls: { rejectUnauthorized: verified, minVersion: "TLSv1.2", ...(ca === undefined ? {} : { ca }) },
    },
    `${host}:${port}`,
    times,
  );
  await settled(session, (done) => session.connect(done));
  await login(session, hop.smarthost.credentials);
  session.startDialogue();
  return connectionOver(session, hop);
}

/** Runs one step of opening the session. Rejects with ConnectError, and then the session is closed. */
function settled(session: Session, step: (done: (error?: unknown) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (error: unknown): void => {
      // First the reason, then the close: closing is reported as an end of its own.
      reject(new ConnectError(connectTrouble(session, error)));
      session.close();
    };
    const closed = (): void => refuse(new Error("connection closed"));
    session.on("error", refuse);
    session.once("end", closed);
    step((error) => {
      if (error) {
        refuse(error);
        return;
      }
      session.off("error", refuse);
      session.off("end", closed);
      resolve();
    });
  });
}

/** RFC 4954 section 4: PLAIN and LOGIN show the password to whoever is at the other end, so that end must be proven. */
async function login(session: Session, credentials: SmarthostDocument["credentials"]): Promise<void> {
  if (credentials === undefined) return;
  session.phase = "auth";
  const socket = session._socket;
  if (!(socket instanceof TLSSocket) || !socket.authorized) {
    session.close();
    throw new ConnectError({ phase: "auth", reason: "credentials-unprotected", nextHop: session.nextHop });
  }
  const { username, password } = credentials;
  await settled(session, (done) => session.login({ user: username, pass: password }, done));
}

function connectionOver(session: Session, hop: NextHop): HopConnection {
  let messages = 0;
  return {
    hop,
    ...peerOf(session._socket),
    get messages() {
      return messages;
    },
    get alive() {
      const socket = session._socket;
      return !session.destroyed && !session.lost.aborted && socket instanceof Object && socket.writable;
    },
    async transact(mail) {
      messages += 1;
      session.beginTransaction();
      const report = await transact(session, mail);
      session.endTransaction();
      return report;
    },
    quit: () => {
      if (session.destroyed || session.lost.aborted) return;
      session.quit();
      // A hop that does not answer QUIT is not waited for (RFC 5321 section 4.1.1.10 asks only that QUIT is sent).
      setTimeout(() => session.close(), quitMs).unref();
    },
    destroy: () => {
      session.drop();
      const socket = session._socket;
      if (socket) socket.destroy();
    },
    onEnd: (listener) => void session.once("end", listener),
  };
}

function peerOf(socket: Session["_socket"]): Pick<HopConnection, "peerAddress" | "tlsVersion"> {
  if (!socket) return { peerAddress: undefined, tlsVersion: undefined };
  const protocol = socket instanceof TLSSocket ? (socket.getProtocol() ?? "") : "";
  return { peerAddress: socket.remoteAddress, tlsVersion: /^TLSv(\d(?:\.\d)?)$/.exec(protocol)?.[1] };
}

interface LibraryError {
  readonly message: string;
  readonly code?: unknown;
  readonly originalCode?: unknown;
  readonly syscall?: unknown;
  readonly response?: unknown;
}

function isLibraryError(error: unknown): error is LibraryError {
  return error instanceof Error;
}

function replyOf(error: LibraryError): Reply | undefined {
  return typeof error.response === "string" ? parseReply(error.response) : undefined;
}

function detailOf(error: LibraryError): string {
  const code = error.originalCode ?? error.code;
  return typeof code === "string" && !error.message.includes(code) ? `${error.message} (${code})` : error.message;
}

function lossOf(error: unknown): LineLostError {
  return isLibraryError(error) ? new LineLostError(detailOf(error), replyOf(error)) : new LineLostError(String(error));
}

function connectTrouble(session: Session, error: unknown): Trouble {
  if (!isLibraryError(error)) return { phase: session.phase, detail: String(error), nextHop: session.nextHop };
  const phase = connectPhase(session, error);
  const reply = replyOf(error);
  const reason: LocalReason | undefined =
    phase === "tls" ? (session.tlsOffered || session.secureConnection ? "tls-failed" : "tls-not-offered") : undefined;
  const found = reason !== undefined && reply?.code !== 421 ? { reason } : reply === undefined ? {} : { reply };
  return { phase, detail: detailOf(error), nextHop: session.nextHop, ...found };
}

function connectPhase(session: Session, error: LibraryError): Phase {
  if (error.code === "EDNS") return "dns";
  if (error.code === "ETLS") return "tls";
  // Implicit TLS: the library knows one step for both, but only connecting ends in a failed system call.
  const handshake = session.phase === "connect" && session.secureConnection && error.code === "ESOCKET";
  return handshake && error.syscall === undefined ? "tls" : session.phase;
}
