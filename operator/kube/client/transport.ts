/**
 * One pool of kept-alive connections to the API server, over node:https. A certificate authority or client certificate
 * that was rotated gets a pool of its own; what still runs in the old one ends there. So it is after a request without an
 * answer: of a dead connection (no FIN, no RST) nothing else tells.
 */
import { createHash } from "node:crypto";
import { Agent as HttpAgent, type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import type { Credentials } from "./access.ts";
import type { Connection } from "./connection.ts";
import { RequestError } from "./failure.ts";

export interface Call {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** Whether sending it twice does what sending it once does. */
  readonly isRepeatable: boolean;
  /**
   * Throws when it may not leave now; asked each time before it is sent, and again when a new connection is ready for it, because much
   * may have happened since the last time.
   */
  readonly fence: () => void;
  readonly signal: AbortSignal;
}

/** Probes of idle sockets, so that routers on the way keep them and dead ones are found. */
const keepAliveProbeMs = 15_000;

export class Transport {
  readonly #connection: Connection;
  #agent: HttpAgent | undefined;
  /** Pools that get no new requests and in which some are still under way. */
  #former: readonly HttpAgent[] = [];
  #agentFor = "";
  #last: Credentials | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Resolves with the head of the answer; its body is a stream. Rejects with RequestError. */
  async send(call: Call): Promise<IncomingMessage> {
    const answer = await this.#attempt(call, false);
    if (answer.statusCode !== 401) return answer;
    // The token may have been rotated a moment ago.
    answer.resume();
    return this.#attempt(call, true);
  }

  /**
   * What is under way breaks off: repeatable requests go out again at once over a new connection, watches begin anew. For a
   * caller who knows that connections are dead.
   */
  reconnect(): void {
    this.close();
    this.#agent = undefined;
    this.#former = [];
  }

  close(): void {
    for (const agent of this.#former) agent.destroy();
    this.#agent?.destroy();
  }

  async #attempt(call: Call, isRefused: boolean): Promise<IncomingMessage> {
    try {
      const credentials = await this.#connection.credentials(isRefused);
      try {
        return await this.#dispatch(call, credentials);
      } catch (error) {
        // A connection that the server closed while it lay idle is found out by using it: nothing was carried out.
        // One that reconnect() broke off may have carried it out: what is repeatable may be carried out twice.
        if (!(error instanceof StaleSocketError) || !call.isRepeatable) throw error;
      }
      return await this.#dispatch(call, credentials);
    } catch (error) {
      throw brokenOff(call, error);
    }
  }

  #dispatch(call: Call, credentials: Credentials): Promise<IncomingMessage> {
    call.fence();
    const { server } = this.#connection;
    const agent = this.#agentOf(credentials);
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const sent = (server.protocol === "http:" ? httpRequest : httpsRequest)(
      {
        protocol: server.protocol,
        hostname: server.hostname.replace(/^\[|\]$/g, ""),
        port: server.port === "" ? undefined : server.port,
        method: call.method,
        path: `${server.pathname.replace(/\/$/, "")}${call.target}`,
        headers: { ...credentials.headers, ...call.headers },
        agent,
        signal: call.signal,
      },
      resolve,
    );
    sent.on("error", (error) => {
      const isStale = sent.reusedSocket && "code" in error && (error.code === "ECONNRESET" || error.code === "EPIPE");
      reject(isStale ? new StaleSocketError(error.message, { cause: error }) : error);
    });
    call.signal.addEventListener("abort", () => isLate(call.signal) && this.#abandon(agent), { once: true });
    sent.once("socket", (socket) => whenReady(socket, () => leave(sent, call)));
    return promise;
  }

  /**
   * A way that swallowed one request swallows others: who comes next gets a new connection. What is under way keeps its own
   * until it ends, because a server may be slow with one request alone.
   */
  #abandon(agent: HttpAgent): void {
    if (agent === this.#agent) this.#retire();
  }

  #retire(): void {
    const agent = this.#agent;
    this.#agent = undefined;
    if (agent === undefined) return;
    agent.maxFreeSockets = 0;
    for (const idle of Object.values(agent.freeSockets).flat()) idle?.destroy();
    this.#former = [...this.#former, agent].filter(({ sockets }) => Object.keys(sockets).length > 0);
  }

  #agentOf(credentials: Credentials): HttpAgent {
    if (credentials.proxy !== undefined) return credentials.proxy;
    if (this.#agent !== undefined && this.#last === credentials) return this.#agent;
    this.#last = credentials;
    const wanted = fingerprint(credentials.tls);
    if (this.#agent !== undefined && this.#agentFor === wanted) return this.#agent;
    this.#retire();
    const options = { keepAlive: true, keepAliveMsecs: keepAliveProbeMs, maxFreeSockets: 16, noDelay: true };
    const isPlain = this.#connection.server.protocol === "http:";
    this.#agent = isPlain ? new HttpAgent(options) : new HttpsAgent({ ...options, ...credentials.tls });
    this.#agentFor = wanted;
    return this.#agent;
  }
}

/** A process may sleep through a handshake: what would be written when it wakes is asked for again. */
function leave(sent: ClientRequest, { fence, body }: Call): void {
  try {
    fence();
  } catch (error) {
    sent.destroy(error instanceof Error ? error : new Error(String(error)));
    return;
  }
  sent.end(body);
}

/** Calls once what is written goes out at once. A connection that does not come to it fails its request. */
function whenReady(socket: Socket, ready: () => void): void {
  // Of a connection that an agent brings, as one through a proxy, the handshake may be over already.
  if ("secureConnecting" in socket && socket.secureConnecting === true) socket.once("secureConnect", ready);
  else if (socket.connecting) socket.once("connect", ready);
  else ready();
}

class StaleSocketError extends Error {
  override readonly name = "StaleSocketError";
}

export interface BrokenRequest {
  readonly method: string;
  readonly target: string;
  readonly signal: AbortSignal;
}

/** The RequestError for a call that ended without a whole answer. */
export function brokenOff({ method, target, signal }: BrokenRequest, error: unknown): RequestError {
  if (error instanceof RequestError) return error;
  const path = target.split("?")[0] ?? target;
  const because = (text: string): string => `${method} ${path}: ${text}`;
  if (signal.aborted) {
    if (isLate(signal))
      return new RequestError({ kind: "Timeout", message: because("no answer in time"), cause: error });
    return new RequestError({ kind: "Stopped", message: because("stopped"), cause: error });
  }
  const said = error instanceof Error ? error.message : String(error);
  return new RequestError({ kind: "Connection", message: because(said), cause: error });
}

/** Whether its deadline ended the request. */
function isLate({ reason }: AbortSignal): boolean {
  return reason instanceof Error && reason.name === "TimeoutError";
}

function fingerprint(tls: Credentials["tls"]): string {
  const hash = createHash("sha256");
  for (const [name, value] of Object.entries(tls)) hash.update(name).update(JSON.stringify(value));
  return hash.digest("base64");
}
