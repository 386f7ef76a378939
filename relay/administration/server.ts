/**
 * The administration port: HTTPS for the operator and for pods of the same relay, and for nobody else.
 *
 * TLS 1.3 with certificates of the internal authority on both sides; who asks is the URI in theirs. The port opens when a
 * certificate is mounted, which may be later than the start; a new one serves new handshakes and disturbs no connection. At the
 * start a port that cannot be had is an error, later it is logged and tried again with the next configuration.
 */
import { constants } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import { setTimeout as delay } from "node:timers/promises";
import { TLSSocket } from "node:tls";
import { administrationPort, administrationPortName, identityOf } from "../../api/administration.ts";
import { hostToBind } from "../../runtime/everywhere.ts";
import type { Log } from "../../runtime/log.ts";
import type { PeerCertificate, SnapshotSource } from "../config/snapshot.ts";
import { decideAccess, type Access } from "./access.ts";
import type { Route } from "./route.ts";

export interface AdministrationOptions {
  readonly snapshots: SnapshotSource;
  readonly routes: readonly Route[];
  readonly log: Log;
  readonly listenHost: string;
  /** The port by the name of the administration port replaces its usual one; 0 lets the system choose. */
  readonly ports: ReadonlyMap<string, number>;
  /** Told of every answer, with whom it was for. */
  readonly onAnswer: (caller: Access["caller"], code: number) => void;
}

export interface Administration {
  /** Undefined while it is closed for want of a certificate. */
  readonly port: number | undefined;
  /** Takes no more requests; resolves when those under way have their answer, or are cut at the deadline. */
  close(deadlineMs: number): Promise<void>;
}

/** Many leaving pods with some transfers each; more are cut off at once and come again. */
const connectionsAllowed = 1024;
const handshakeMs = 10_000;
const headMs = 10_000;
/** From the first octet to the last: the largest message by a slow network. */
const requestMs = 600_000;
/** Nothing sent, nothing read; longer than a sync on a disk that is late. */
const silenceMs = 120_000;
/** Whoever keeps connections closes them before this, or may find one closed on which it just asked. */
export const keepAliveMs = 60_000;

/** Rejects when there is a certificate and the port cannot be had. */
export async function openAdministration(options: AdministrationOptions): Promise<Administration> {
  const port = new AdministrationPort(options);
  await port.follow();
  if (port.port === undefined)
    options.log.warn("the administration port is closed until a peer certificate is mounted");
  options.snapshots.onChange(() => port.changed());
  return port;
}

class AdministrationPort implements Administration {
  readonly #options: AdministrationOptions;
  readonly #server: Server;
  #fingerprint: string | undefined;
  #authorities = "";
  #following: Promise<void> = Promise.resolve();
  #closing = false;

  constructor(options: AdministrationOptions) {
    this.#options = options;
    const limits = { handshakeTimeout: handshakeMs, headersTimeout: headMs, requestTimeout: requestMs };
    const patience = { timeout: silenceMs, keepAliveTimeout: keepAliveMs };
    const server = createServer({ ...limits, ...patience, requestCert: true, rejectUnauthorized: true });
    server.maxConnections = connectionsAllowed;
    server.on("request", (request, response) => {
      this.#answer(request, response).catch((error: unknown) => this.#failed(request, response, error));
    });
    // Without a listener it would end the process.
    server.on("error", (error) => options.log.warn({ error: error.message }, "administration port failed"));
    server.on("tlsClientError", (error, socket) => {
      // Set when a certificate was shown and not believed, of which the client hears nothing but a closed connection.
      const refused: unknown = socket.authorizationError;
      const why = typeof refused === "string" ? refused : error.message;
      options.log.warn({ peer: socket.remoteAddress, error: why }, "administration handshake failed");
    });
    this.#server = server;
  }

  get port(): number | undefined {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : undefined;
  }

  changed(): void {
    this.#following = this.#following
      .then(() => this.follow())
      .catch((error: unknown) => {
        this.#options.log.error({ error: String(error) }, "could not open the administration port");
      });
  }

  async follow(): Promise<void> {
    const { peer } = this.#options.snapshots.current();
    if (peer === undefined || this.#closing) return;
    this.#renew(peer);
    if (this.#server.listening) return;
    const listening = once(this.#server, "listening");
    const port = this.#options.ports.get(administrationPortName) ?? administrationPort;
    this.#server.listen({ ...hostToBind(this.#options.listenHost), port });
    await listening;
    this.#options.log.info({ listener: administrationPortName, port: this.port }, "listening");
  }

  #renew({ chain, privateKey, authorities, fingerprint }: PeerCertificate): void {
    if (fingerprint === this.#fingerprint && authorities === this.#authorities) return;
    const minVersion = "TLSv1.3" as const;
    // Who was once believed is looked at again with each connection: the authorities may be others by now.
    const secureOptions = constants.SSL_OP_NO_TICKET;
    this.#server.setSecureContext({ cert: chain, key: privateKey, ca: authorities, minVersion, secureOptions });
    this.#fingerprint = fingerprint;
    this.#authorities = authorities;
    this.#options.log.info({ listener: administrationPortName, fingerprint }, "certificate in use");
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { routes, snapshots, onAnswer } = this.#options;
    const access = decideAccess(routes, snapshots.current().relay.relay, {
      identity: identityIn(request),
      method: request.method ?? "",
      path: (request.url ?? "/").split("?")[0] ?? "/",
    });
    response.once("finish", () => onAnswer(access.caller, response.statusCode));
    if (this.#closing) {
      response.writeHead(503, { connection: "close" }).end("the relay is stopping\n");
      return;
    }
    response.once("close", () => {
      if (this.#closing) this.#server.closeIdleConnections();
    });
    if (access.kind === "refused") {
      const { code, text, allow } = access;
      this.#options.log.warn({ identity: access.identity, code, reply: text }, "administration refused");
      const headers = allow === undefined ? {} : { allow };
      response.writeHead(code, { "content-type": "text/plain; charset=utf-8", ...headers }).end(`${text}\n`);
      return;
    }
    await access.route.answer(request, response, access.rest);
  }

  #failed(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    this.#options.log.error({ path: request.url, error: String(error) }, "could not answer");
    if (response.headersSent) response.destroy();
    else response.writeHead(500, { connection: "close" }).end("internal error, see the relay's log\n");
  }

  async close(deadlineMs: number): Promise<void> {
    this.#closing = true;
    await this.#following;
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const called = new AbortController();
    const deadline = delay(deadlineMs, undefined, { signal: called.signal }).catch(() => undefined);
    await Promise.race([closed, deadline]);
    called.abort();
    this.#server.closeAllConnections();
    await closed;
  }
}

function identityIn(request: IncomingMessage): string | undefined {
  const { socket } = request;
  return socket instanceof TLSSocket ? identityOf(socket.getPeerX509Certificate()?.subjectAltName) : undefined;
}
