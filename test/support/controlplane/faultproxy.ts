/**
 * A proxy before the API server that misbehaves on request: answers in its stead, cuts connections, falls silent with the
 * socket open, holds requests back. What no fault matches is passed on unchanged.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Agent, createServer, request } from "node:https";
import type { Duplex } from "node:stream";
import type { ControlPlane } from "./controlplane.ts";

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly isWatch: boolean;
}

export type Fault =
  /** Answered here. */
  | { readonly kind: "answer"; readonly code: number; readonly body: string; readonly headers?: Record<string, string> }
  /** The connection is destroyed, with no answer. */
  | { readonly kind: "cut" }
  /** No answer, ever. */
  | { readonly kind: "silence" }
  | { readonly kind: "delay"; readonly ms: number };

export interface Rule {
  readonly matches: (seen: SeenRequest) => boolean;
  readonly fault: Fault;
  /** How often it strikes; without end when absent. */
  times?: number;
  /** How often it has struck. */
  struck?: number;
}

/** Throws when a fault was never met: what was shown then was shown without it. */
export function assertStruck(rules: readonly Rule[]): void {
  const unmet = rules.filter(({ struck = 0 }) => struck === 0);
  assert.deepEqual(unmet, [], "a fault that no request met");
}

interface LiveWatch {
  readonly seen: SeenRequest;
  readonly upstream: IncomingMessage;
  readonly response: ServerResponse;
}

export class FaultProxy {
  readonly port: number;
  readonly kubeconfig: string;
  /** In order of arrival, the faulty ones included. */
  readonly seen: SeenRequest[] = [];
  readonly rules: Rule[] = [];
  readonly #watches = new Set<LiveWatch>();
  readonly #close: () => Promise<void>;

  private constructor(facts: { port: number; kubeconfig: string; close: () => Promise<void> }) {
    this.port = facts.port;
    this.kubeconfig = facts.kubeconfig;
    this.#close = facts.close;
  }

  static async start(plane: ControlPlane): Promise<FaultProxy> {
    const { certificate, privateKey } = plane.serving;
    const server = createServer({ cert: certificate, key: privateKey });
    const sockets = new Set<Duplex>();
    server.on("connection", (socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => sockets.delete(socket));
    });
    server.on("tlsClientError", () => {});
    const agent = new Agent({ keepAlive: true, ca: plane.authority });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    const proxy = new FaultProxy({
      port: address.port,
      kubeconfig: plane.kubeconfigAt(address.port),
      close: async () => {
        for (const socket of sockets) socket.destroy();
        agent.destroy();
        server.close();
        await once(server, "close");
      },
    });
    server.on("request", (asked: IncomingMessage, response: ServerResponse) => {
      proxy.#take(asked, response, { agent, port: plane.port });
    });
    return proxy;
  }

  /** Destroys the connections of watches that run. Returns how many there were. */
  cutWatches(matches: (seen: SeenRequest) => boolean = () => true): number {
    return this.#eachWatch(matches, ({ response, upstream }) => {
      upstream.destroy();
      response.socket?.destroy();
    });
  }

  /** Watches that run pass nothing on any more, and their sockets stay open. */
  muteWatches(matches: (seen: SeenRequest) => boolean = () => true): number {
    return this.#eachWatch(matches, ({ upstream, response }) => {
      upstream.unpipe(response);
      upstream.resume();
    });
  }

  /** Sends a line into watches that run, as if the server had. */
  sayInWatches(line: string, matches: (seen: SeenRequest) => boolean = () => true): number {
    return this.#eachWatch(matches, ({ response }) => response.write(`${line}\n`));
  }

  get watches(): number {
    return this.#watches.size;
  }

  async close(): Promise<void> {
    await this.#close();
  }

  #eachWatch(matches: (seen: SeenRequest) => boolean, act: (watch: LiveWatch) => void): number {
    const found = [...this.#watches].filter((watch) => matches(watch.seen));
    for (const watch of found) act(watch);
    return found.length;
  }

  #take(asked: IncomingMessage, response: ServerResponse, upstream: { agent: Agent; port: number }): void {
    const path = asked.url ?? "/";
    const seen = { method: asked.method ?? "GET", path, isWatch: path.includes("watch=true") };
    this.seen.push(seen);
    response.on("error", () => {});
    const rule = this.rules.find((candidate) => candidate.times !== 0 && candidate.matches(seen));
    if (rule?.times !== undefined) rule.times -= 1;
    if (rule !== undefined) rule.struck = (rule.struck ?? 0) + 1;
    const pass = (): void => this.#pass(asked, response, { ...upstream, seen });
    switch (rule?.fault.kind) {
      case undefined:
        pass();
        return;
      case "answer":
        asked.resume();
        response.writeHead(rule.fault.code, { "content-type": "application/json", ...rule.fault.headers });
        response.end(rule.fault.body);
        return;
      case "cut":
        asked.socket.destroy();
        return;
      case "silence":
        asked.resume();
        return;
      case "delay":
        setTimeout(pass, rule.fault.ms);
    }
  }

  #pass(asked: IncomingMessage, response: ServerResponse, to: { agent: Agent; port: number; seen: SeenRequest }): void {
    const { host: _host, connection: _connection, ...headers } = asked.headers;
    const sent = request(
      { host: "127.0.0.1", port: to.port, method: asked.method, path: asked.url, headers, agent: to.agent },
      (upstream) => {
        response.writeHead(upstream.statusCode ?? 502, upstream.headers);
        response.flushHeaders();
        upstream.pipe(response);
        upstream.on("error", () => response.destroy());
        if (!to.seen.isWatch) return;
        const watch = { seen: to.seen, upstream, response };
        this.#watches.add(watch);
        response.on("close", () => {
          this.#watches.delete(watch);
          upstream.destroy();
        });
      },
    );
    sent.on("error", () => asked.socket.destroy());
    response.on("close", () => sent.destroy());
    asked.pipe(sent);
  }
}
