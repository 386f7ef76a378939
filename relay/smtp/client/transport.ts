/**
 * Connections to next hops: the only importer of nodemailer. The library connects, says EHLO, negotiates TLS and logs in; the
 * dialogue after that is ours (session.ts, transaction.ts), over the socket that it hands out.
 *
 * Of the library we use what it declares: its options, its socket, its events, and its transaction log, which tells what was
 * said (transcript.ts). Every error leaves here as Trouble, so that relay/delivery/policy/failure.ts can decide. A hop that refused
 * something is told QUIT before the connection ends.
 */
import { TLSSocket } from "node:tls";
import { isIP, Socket } from "node:net";
import SMTPConnection from "nodemailer/lib/smtp-connection";
import type { SmarthostDocument } from "../../../api/relayconfig.ts";
import type { LocalReason, Phase, Trouble } from "../../mail/hostanswer.ts";
import { parseReply, type Reply } from "../../mail/reply.ts";
import type { PlainHosts } from "./plainhosts.ts";
import { NextHopSession, type ReplyPatience } from "./session.ts";
import { Transcript, type Extensions } from "./transcript.ts";
import { LineLostError, transact, type Outgoing, type TransactionReport } from "./transaction.ts";

export interface NextHop {
  /** Connections with the same key are interchangeable. */
  readonly key: string;
  readonly smarthost: SmarthostDocument;
  /** Dialed instead of the host's name, which TLS and people still go by; absent, the name is looked up. */
  readonly address?: string;
  /** The name we give with EHLO. */
  readonly helo: string;
  /** Hops with the same key share them; absent: the pool's own, for this hop alone. */
  readonly limits?: { readonly key: string; readonly maxConnections: number; readonly messagesPerConnection: number };
  /** Most recipients of a transaction; absent: as many as there are. */
  readonly recipientsPerMessage?: number;
}

/** RFC 5321 section 4.5.3.2; connecting is given less, because another host may be waiting for its turn, and so is TLS. */
export interface Patience extends ReplyPatience {
  readonly connectMs: number;
  readonly greetingMs: number;
  readonly handshakeMs: number;
}

export const patience: Patience = {
  connectMs: 30_000,
  greetingMs: 300_000,
  handshakeMs: 30_000,
  commandMs: 300_000,
  dataMs: 120_000,
  blockMs: 180_000,
  endMs: 600_000,
};

/** Of what a hop says before the first message; nobody's EHLO or greeting is as long. */
const longestOpeningReply = 65_536;

/** A connection could not be opened. */
export class ConnectError extends Error {
  override readonly name = "ConnectError";
  readonly trouble: Trouble;

  constructor(trouble: Trouble) {
    super(`${trouble.phase}: ${trouble.reason ?? trouble.detail ?? "trouble"}`);
    this.trouble = trouble;
  }
}

export interface NextHopConnection {
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
  /** At once, whatever is on its way. */
  destroy(): void;
  onEnd(listener: () => void): void;
}

/**
 * Connects, says EHLO, negotiates TLS and logs in. Rejects with ConnectError. `plainHosts` remembers where opportunistic
 * TLS came to nothing.
 */
export async function openConnection(
  hop: NextHop,
  times: Patience = patience,
  plainHosts?: PlainHosts,
): Promise<NextHopConnection> {
  const { host, port, tlsMode, credentials } = hop.smarthost;
  // RFC 7435: opportunistic security prefers mail in the clear to no mail; who wants otherwise says Required.
  if (tlsMode !== "Opportunistic" || credentials !== undefined) return dial(hop, tlsMode, times);
  const place = `${hop.address ?? host} ${port}`;
  if (plainHosts?.has(place)) return dial(hop, "None", times);
  try {
    return await dial(hop, tlsMode, times);
  } catch (error) {
    if (!(error instanceof ConnectError) || error.trouble.phase !== "tls") throw error;
    // Who has to close at STARTTLS has said nothing about TLS.
    if (error.trouble.reply?.code === 421) throw error;
    plainHosts?.add(place);
    return dial(hop, "None", times);
  }
}

async function dial(hop: NextHop, tlsMode: SmarthostDocument["tlsMode"], times: Patience): Promise<NextHopConnection> {
  const dialing = new Dialing(hop, tlsMode, times);
  await dialing.connect();
  await dialing.login(hop.smarthost.credentials);
  return connectionOver(dialing, hop, times);
}

/** A session that is being opened: what the library does, and how long it may take. */
class Dialing {
  readonly connection: SMTPConnection;
  readonly nextHop: string;
  readonly #transcript = new Transcript();
  readonly #times: Patience;
  #refuse: ((error: unknown) => void) | undefined;
  #deadline: NodeJS.Timeout | undefined;

  constructor({ smarthost, address, helo }: NextHop, tlsMode: SmarthostDocument["tlsMode"], times: Patience) {
    const { host, port, ca } = smarthost;
    const verified = tlsMode === "Required" || tlsMode === "Implicit";
    this.nextHop = `${host}:${port}`;
    this.#times = times;
    this.connection = new SMTPConnection({
      host: address ?? host,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      port,
      name: helo,
      secure: tlsMode === "Implicit",
      requireTLS: tlsMode === "Required",
      ignoreTLS: tlsMode === "None",
      opportunisticTLS: tlsMode === "Opportunistic",
      allowInternalNetworkInterfaces: true,
      // The library counts the greeting into it, which RFC 5321 gives more time than connecting is worth.
      connectionTimeout: times.connectMs + times.greetingMs,
      dnsTimeout: times.connectMs,
      greetingTimeout: times.greetingMs,
      socketTimeout: times.commandMs,
      socketCloseTimeout: 2_000,
      maxResponseSize: longestOpeningReply,
      tls: { rejectUnauthorized: verified, minVersion: "TLSv1.2", ...(ca === undefined ? {} : { ca: [ca] }) },
      transactionLog: true,
      logger: { debug: (entry: { readonly tnx?: string }, text?: unknown) => this.#heard(entry.tnx, text) },
    });
  }

  get extensions(): Extensions {
    return this.#transcript.extensions;
  }

  /** Rejects with ConnectError, and then the session is closed. */
  async connect(): Promise<void> {
    // The library's own times take over once there is a connection.
    this.#allow(this.#times.connectMs, "could not connect", () => this.connection.stage === "init");
    await this.#step((done) => this.connection.connect(done));
    const reply = this.#transcript.farewell;
    if (reply === undefined) return;
    // RFC 5321 section 3.8: it closes now. The library goes on where opportunistic TLS was answered so, in the clear.
    this.connection.close();
    throw new ConnectError({ phase: "tls", reply, nextHop: this.nextHop });
  }

  /** RFC 4954 section 4: PLAIN and LOGIN show the password to whoever is at the other end, so that end must be proven. */
  async login(credentials: SmarthostDocument["credentials"]): Promise<void> {
    if (credentials === undefined) return;
    const socket = this.connection._socket;
    if (!(socket instanceof TLSSocket) || !socket.authorized) {
      this.#sayQuit();
      this.connection.close();
      throw new ConnectError({ phase: "auth", reason: "credentials-unprotected", nextHop: this.nextHop });
    }
    const { username, password } = credentials;
    await this.#step((done) => this.connection.login({ user: username, pass: password }, done));
  }

  #step(run: (done: (error?: unknown) => void) => void): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const { connection } = this;
    const refuse = (error: unknown): void => {
      clearTimeout(this.#deadline);
      // First the reason, then the close: closing is reported as an end of its own.
      reject(new ConnectError(this.#trouble(error)));
      this.#sayQuit();
      connection.close();
    };
    const closed = (): void => refuse(new Error("connection closed"));
    this.#refuse = refuse;
    connection.on("error", refuse);
    connection.once("end", closed);
    run((error) => {
      if (error) {
        refuse(error);
        return;
      }
      clearTimeout(this.#deadline);
      connection.off("error", refuse);
      connection.off("end", closed);
      resolve();
    });
    return promise;
  }

  #heard(side: string | undefined, text: unknown): void {
    if (typeof text !== "string" || (side !== "client" && side !== "server")) return;
    this.#transcript.note(side, text);
    if (this.#transcript.isShakingHands) this.#allow(this.#times.handshakeMs, "no TLS handshake");
    // The library's time begins anew with each octet; a reply has this long, whole.
    else if (side === "client") this.#allow(this.#times.commandMs, "no reply");
  }

  #allow(ms: number, what: string, isDue = (): boolean => true): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => {
      if (isDue()) this.#refuse?.(new Error(`${what} within ${ms / 1_000} s`));
    }, ms);
  }

  /** RFC 5321 section 4.1.1.10: not before QUIT is the connection closed, whatever went wrong. Not into a handshake. */
  #sayQuit(): void {
    const { connection } = this;
    const socket = connection._socket;
    const isInDialogue = connection.stage === "connected" && connection.upgrading !== true;
    if (isInDialogue && socket instanceof Socket && socket.writable) socket.write("QUIT\r\n", "latin1");
  }

  #trouble(error: unknown): Trouble {
    const { nextHop } = this;
    if (!isLibraryError(error)) return { phase: this.#phaseOf(undefined), detail: String(error), nextHop };
    const phase = this.#phaseOf(error);
    const reply = replyOf(error);
    const isTlsThere = this.#transcript.wasTlsOffered || this.connection.secureConnection;
    const reason: LocalReason | undefined = phase !== "tls" ? undefined : isTlsThere ? "tls-failed" : "tls-not-offered";
    const found = reason !== undefined && reply?.code !== 421 ? { reason } : reply === undefined ? {} : { reply };
    return { phase, detail: detailOf(error), nextHop, ...found };
  }

  #phaseOf(error: LibraryError | undefined): Phase {
    const { connection } = this;
    if (error?.code === "EDNS") return "dns";
    if (error?.code === "ETLS") return "tls";
    if (connection.stage === "connected") return this.#transcript.phase;
    // Implicit TLS: the library knows one step for both, but only connecting ends in a failed system call.
    const socket = connection._socket;
    const isConnected = socket instanceof TLSSocket && !socket.connecting && error?.syscall === undefined;
    return isConnected ? "tls" : "connect";
  }
}

function connectionOver(dialing: Dialing, hop: NextHop, times: Patience): NextHopConnection {
  const { connection, nextHop, extensions } = dialing;
  const socket = connection._socket;
  if (!(socket instanceof Socket)) throw new ConnectError({ phase: "ehlo", detail: "connection closed", nextHop });
  // Its reader of replies is for its own dialogue; it goes on to watch over the socket.
  socket.removeAllListeners("data");
  const session = new NextHopSession({ socket, nextHop, extensions, patience: times, close: () => connection.close() });
  connection.on("error", (error: unknown) => session.lose(lossOf(error)));
  connection.once("end", () => session.lose(new LineLostError("the connection was closed")));
  let messages = 0;
  return {
    hop,
    ...peerOf(socket),
    get messages() {
      return messages;
    },
    get alive() {
      return !session.lost.aborted && socket.writable;
    },
    async transact(mail) {
      messages += 1;
      return transact(session, mail);
    },
    quit: () => session.leave(),
    destroy: () => {
      session.drop();
      socket.destroy();
    },
    onEnd: (listener) => void connection.once("end", listener),
  };
}

function peerOf(socket: Socket): Pick<NextHopConnection, "peerAddress" | "tlsVersion"> {
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
