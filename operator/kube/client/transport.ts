/**
 * One pool of kept-alive connections to the API server, over node:https. A certificate authority or client certificate
 * that was rotated gets a pool of its own; what still runs in the old one ends there.
 */
import { createHash } from "node:crypto";
import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Connection, Credentials } from "./connection.ts";
import { RequestError } from "./failure.ts";

export interface Call {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** Whether sending it twice does what sending it once does. */
  readonly isRepeatable: boolean;
  readonly signal: AbortSignal;
}

/** Probes of idle sockets, so that routers on the way keep them and dead ones are found. */
const keepAliveProbeMs = 15_000;

export class Transport {
  readonly #connection: Connection;
  #agent: HttpAgent | undefined;
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

  close(): void {
    this.#agent?.destroy();
  }

  async #attempt(call: Call, isRefused: boolean): Promise<IncomingMessage> {
    try {
      const credentials = await this.#connection.credentials(isRefused);
      const agent = this.#agentOf(credentials);
      try {
        return await this.#dispatch(call, credentials, agent);
      } catch (error) {
        // A connection that the server closed while it lay idle is found out by using it: nothing was carried out.
        if (!(error instanceof StaleSocketError) || !call.isRepeatable) throw error;
      }
      return await this.#dispatch(call, credentials, agent);
    } catch (error) {
      throw brokenOff(call, error);
    }
  }

  #dispatch(call: Call, credentials: Credentials, agent: HttpAgent): Promise<IncomingMessage> {
    const { server } = this.#connection;
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
    sent.end(call.body);
    return promise;
  }

  #agentOf(credentials: Credentials): HttpAgent {
    if (credentials.proxy !== undefined) return credentials.proxy;
    if (this.#agent !== undefined && this.#last === credentials) return this.#agent;
    this.#last = credentials;
    const wanted = fingerprint(credentials.tls);
    if (this.#agent !== undefined && this.#agentFor === wanted) return this.#agent;
    const options = { keepAlive: true, keepAliveMsecs: keepAliveProbeMs, maxFreeSockets: 16, noDelay: true };
    const isPlain = this.#connection.server.protocol === "http:";
    this.#agent = isPlain ? new HttpAgent(options) : new HttpsAgent({ ...options, ...credentials.tls });
    this.#agentFor = wanted;
    return this.#agent;
  }
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
    const isLate = signal.reason instanceof Error && signal.reason.name === "TimeoutError";
    if (isLate) return new RequestError({ kind: "Timeout", message: because("no answer in time"), cause: error });
    return new RequestError({ kind: "Stopped", message: because("stopped"), cause: error });
  }
  const said = error instanceof Error ? error.message : String(error);
  return new RequestError({ kind: "Connection", message: because(said), cause: error });
}

function fingerprint(tls: Credentials["tls"]): string {
  const hash = createHash("sha256");
  for (const [name, value] of Object.entries(tls)) hash.update(name).update(JSON.stringify(value));
  return hash.digest("base64");
}
