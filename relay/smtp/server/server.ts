/**
 * smtp-server's listener, with every decision taken away: who gets as far as a session, and how its server is set up.
 *
 * A client counts from its first octet, before there is a session, where a PROXY header or a handshake comes first; it has a time
 * for both. A socket that cannot be told anything yet is closed without a word.
 */
import { constants, randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import { DEFAULT_CIPHERS } from "node:tls";
import { SMTPServer } from "smtp-server";
import type { SMTPServerSession } from "smtp-server";
import { normalizeAddress } from "../../../runtime/network.ts";
import type { Refusal } from "../../mail/reply.ts";
import { endPointOfChain } from "./channel.ts";
import { MailConnection } from "./connection.ts";
import { Door } from "./door.ts";
import { readProxyHeader } from "./proxyheader.ts";
import type { ClientOrigin, MailServerOptions, ServerCertificate, SessionRules } from "./rules.ts";

type SocketOptions = NonNullable<Parameters<Parameters<SMTPServer["_handleProxy"]>[1]>[1]>;
type Proxied = Parameters<SMTPServer["_handleProxy"]>[1];

/** A socket, from its first octet on. */
interface Arrival {
  rules: SessionRules;
  /** What is done when its place is given to another. */
  giveWay: () => void;
}

/**
 * Node's own, in another order: whoever can verify ECDSA is shown that, which costs a tenth of RSA, and which older copies of `ca.crt`
 * vouch for. Up to TLS 1.2 the cipher decides on the certificate; the server's order counts (`honorCipherOrder`).
 */
const ciphers = `ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE+aECDSA+HIGH:${DEFAULT_CIPHERS}`;

export class MailServer extends SMTPServer {
  readonly #options: MailServerOptions;
  readonly #sessions = new WeakMap<SMTPServerSession, MailConnection>();
  readonly #arrivals = new WeakMap<Socket, Arrival>();
  /** By the object that the library carries on to the session. */
  readonly #arrivalOf = new WeakMap<object, Arrival>();
  /** Of the certificates that are shown now. */
  #endPoints: readonly (Buffer | undefined)[] = [];
  /** Until their sockets are closed; the library forgets a connection when it says goodbye. */
  readonly open = new Set<MailConnection>();

  constructor(options: MailServerOptions) {
    super({
      logger: false,
      secure: options.implicitTls,
      blockList: new Door(options.isShutFor),
      minVersion: "TLSv1.2",
      // A client that has said all may close its side and still hear every reply.
      allowHalfOpen: true,
      // Our rules decide who may do what: no check of the library's may stand in front of them.
      authOptional: true,
      disableReverseLookup: true,
      maxAllowedUnauthenticatedCommands: false,
      socketTimeout: options.patience.idleMs,
    });
    this.#options = options;
  }

  /**
   * Existing sessions keep what they negotiated. Clients are asked for a certificate where there are authorities that could have
   * signed it (PEM): one that does not pass is for the rules to refuse, in words that its owner gets to see.
   */
  setCertificate(certificate: ServerCertificate, clientAuthorities?: string): void {
    const isAsking = clientAuthorities !== undefined;
    const pairs = [certificate, ...(certificate.rsa === undefined ? [] : [certificate.rsa])];
    this.#endPoints = pairs.map(({ chain }) => endPointOfChain(chain));
    this.updateSecureContext({
      cert: pairs.map(({ chain }) => chain),
      key: pairs.map(({ privateKey }) => privateKey),
      minVersion: "TLSv1.2",
      ciphers,
      ca: clientAuthorities,
      requestCert: isAsking,
      rejectUnauthorized: false,
      // An authority may be given without the one that signed it.
      allowPartialTrustChain: isAsking,
      // A ticket holds the client's certificate as it was verified once, and not what it was sent with.
      secureOptions: isAsking ? constants.SSL_OP_NO_TICKET : 0,
    });
  }

  /** Without a certificate of ours there is no context at all: the library would fall back to its published key. */
  override updateSecureContext(options?: Parameters<SMTPServer["updateSecureContext"]>[0]): void {
    Object.assign(this.options, options);
    if (this.options.cert === undefined) this.secureContext = new Map();
    else super.updateSecureContext();
  }

  /**
   * Gives the socket a place, whatever comes first on it. The library's own guard counts for nobody, and its time begins anew with
   * each octet.
   */
  override _acceptSocket(socket: Socket, handshake: boolean): (() => void) | false {
    const peer = socket.remoteAddress;
    // It was reset before it was accepted: the door could not ask who it was, and a session would be for nobody.
    if (peer === undefined) return this.#drop(socket);
    const isProxied = this._expectsProxyHeader(socket);
    const address = normalizeAddress(peer);
    const rules = this.#options.rulesFor(isProxied ? { kind: "proxy", address } : this.#clientOf(address));
    const arrival: Arrival = { rules, giveWay: () => this._pendingSockets.get(socket)?.destroy() };
    const refused = rules.enter(() => arrival.giveWay());
    const isSpeechless = handshake || isProxied || this.#isCrowded;
    if (refused !== undefined && isSpeechless) return this.#turnAway(socket, rules, refused);
    this._pendingSockets.set(socket, socket);
    // An error without listener would end the process; what follows it is a close.
    socket.on("error", () => undefined);
    const { arrivalMs } = this.#options.patience;
    const time = setTimeout(() => this._pendingSockets.get(socket)?.destroy(), arrivalMs).unref();
    const release = (): void => {
      clearTimeout(time);
      this._pendingSockets.delete(socket);
    };
    this.#arrivals.set(socket, arrival);
    socket.once("close", () => {
      release();
      arrival.rules.closed();
    });
    return release;
  }

  /** So many are on their way out that nobody else is told why. */
  get #isCrowded(): boolean {
    return this.open.size >= 2 * this.#options.maxConnections();
  }

  /** Nothing can be said before a header or a handshake, and not to everybody at a time of many. */
  #turnAway(socket: Socket, rules: SessionRules, refused: Refusal): false {
    rules.refused(refused);
    rules.closed();
    return this.#drop(socket);
  }

  #drop(socket: Socket): false {
    socket.on("error", () => undefined);
    socket.destroy();
    return false;
  }

  #clientOf(address: string): ClientOrigin {
    return { kind: this.#options.expectsProxies() ? "outsider" : "client", address };
  }

  override _expectsProxyHeader(socket: Socket): boolean {
    return this.#options.isProxy(socket.remoteAddress ?? "");
  }

  override _handleProxy(socket: Socket, callback: Proxied): void {
    const arrival = this.#arrivals.get(socket);
    if (arrival === undefined) return callback(gone());
    if (this._expectsProxyHeader(socket)) return this.#readProxyHeader(socket, arrival, callback);
    const go = (): void => {
      // A handshake that nobody is there for would be kept until its timeout.
      if (socket.destroyed || (this.#options.implicitTls && socket.readableEnded)) {
        socket.destroy();
        return callback(gone());
      }
      callback(null, this.#carry(arrival, socket.remoteAddress));
    };
    // A handshake costs us more than the client, too.
    if (!arrival.rules.isLoud()) return void setImmediate(go);
    const time = setTimeout(go, this.#options.patience.pauseMs).unref();
    socket.once("close", () => clearTimeout(time));
  }

  #carry(arrival: Arrival, remoteAddress: string | undefined): SocketOptions {
    const options = { id: randomUUID(), ...(remoteAddress === undefined ? {} : { remoteAddress }) };
    this.#arrivalOf.set(options, arrival);
    return options;
  }

  #readProxyHeader(socket: Socket, arrival: Arrival, callback: Proxied): void {
    let bytes: Buffer = Buffer.alloc(0);
    const done = (error: Error | null, options?: SocketOptions): void => {
      socket.off("readable", read).off("end", ended).off("close", ended);
      callback(error, options);
    };
    const fail = (reason: string): void => {
      done(new Error(reason));
      socket.destroy();
    };
    const ended = (): void => fail("closed before the PROXY header was whole");
    const read = (): void => {
      for (let chunk = readChunk(socket); chunk !== undefined; chunk = readChunk(socket)) {
        bytes = Buffer.concat([bytes, chunk]);
        const header = readProxyHeader(bytes);
        if (header.kind === "more") continue;
        if (header.kind === "fault") return fail(header.reason);
        const rest = bytes.subarray(header.octets);
        if (rest.length > 0) socket.unshift(rest);
        const address = header.clientAddress;
        const peer = normalizeAddress(socket.remoteAddress ?? "");
        const refused = this.#comeBehind(
          arrival,
          address === undefined ? { kind: "unknown", address: peer } : { kind: "client", address },
        );
        // In the clear the session says so.
        if (refused !== undefined && this.#options.implicitTls) return fail(refused.text);
        return done(null, this.#carry(arrival, address ?? peer));
      }
    };
    socket.on("readable", read).on("end", ended).on("close", ended);
  }

  /** From here on it is the client that counts, not the proxy. */
  #comeBehind(arrival: Arrival, client: ClientOrigin): Refusal | undefined {
    arrival.rules.closed();
    arrival.rules = this.#options.rulesFor(client);
    const refused = arrival.rules.enter(() => arrival.giveWay());
    if (refused !== undefined && this.#options.implicitTls) arrival.rules.refused(refused);
    return refused;
  }

  /** A client that leaves in the middle of a handshake is not waited for. */
  override _upgrade(...[socket, callback]: Parameters<SMTPServer["_upgrade"]>): void {
    super._upgrade(socket, (error, secure) => {
      top?.off("end", leave);
      socket.off("end", leave);
      callback(error, secure);
    });
    const top = this._pendingSockets.get(socket);
    const leave = (): void => {
      top?.destroy();
    };
    top?.once("end", leave);
    // The end may have come before the handshake began, behind octets of it.
    socket.once("end", leave);
  }

  override connect(...[socket, options]: Parameters<SMTPServer["connect"]>): void {
    const arrival = this.#arrivalOf.get(options ?? {});
    if (arrival === undefined || socket.destroyed) {
      socket.destroy();
      return arrival?.rules.closed();
    }
    const { patience } = this.#options;
    const connection = new MailConnection(this, { rules: arrival.rules, patience }, socket, options);
    arrival.giveWay = () => (this.#isCrowded ? connection.destroy() : connection.end.giveWay());
    this.#sessions.set(connection.session, connection);
    this.connections.add(connection);
    this.open.add(connection);
    socket.once("close", () => this.open.delete(connection));
    connection.on("error", (error: Error) => this._onError(error));
    connection.init();
  }

  /** Both at once: the library's defer to the next turn, and a client that talks in that gap would be cut off. */
  override onConnect(...[, callback]: Parameters<SMTPServer["onConnect"]>): void {
    callback();
  }

  override onSecure(...[, session, callback]: Parameters<SMTPServer["onSecure"]>): void {
    this.#sessions.get(session)?.secured(this.#endPoints);
    callback();
  }
}

function gone(): Error {
  return new Error("the socket is closed");
}

function readChunk(socket: Socket): Buffer | undefined {
  const chunk: unknown = socket.read();
  return Buffer.isBuffer(chunk) ? chunk : undefined;
}
