/**
 * A small read-only HTTP server for probes, metrics and reports. Only GET and HEAD, only the paths it was given; an
 * answer that cannot be made is 500 with a line for the log and nothing of it for the caller.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { hostToBind } from "./everywhere.ts";
import type { Log } from "./log.ts";

export interface Page {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export interface PageRequest {
  readonly query: URLSearchParams;
  /**
   * Asked by a process of this machine or container, over loopback and by a name of loopback: a page of somebody else's that a
   * browser shows may ask over loopback too, by a name that it made point there.
   */
  readonly isLocal: boolean;
}

export type Pages = Readonly<Record<string, (request: PageRequest) => Promise<Page>>>;

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

export interface HealthOptions {
  readonly host: string;
  readonly port: number;
  readonly pages: Pages;
  readonly log: Log;
}

/** Rejects when the port is taken. */
export async function openHealth(options: HealthOptions): Promise<HealthServer> {
  const server = createServer((request, response) => {
    answer(options, request, response).catch((error: unknown) => {
      options.log.error({ path: request.url, error: String(error) }, "could not answer");
      response.destroy();
    });
  });
  server.keepAliveTimeout = 5_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port: options.port, ...hostToBind(options.host) }, () => resolve());
  });
  return { port: portOf(server), close: async () => closeServer(server) };
}

async function answer(options: HealthOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.writeHead(405, { allow: "GET, HEAD" }).end();
    return;
  }
  const [path = "/", query = ""] = (request.url ?? "/").split("?");
  const render = options.pages[path];
  if (render === undefined) {
    response.writeHead(404).end(`not found; there are ${Object.keys(options.pages).join(" ")}\n`);
    return;
  }
  const isLocal = isLoopback(request.socket.remoteAddress ?? "") && isLoopbackHost(request.headers.host ?? "");
  const asked = { query: new URLSearchParams(query), isLocal };
  const page = await render(asked).catch((error: unknown) => {
    options.log.error({ path, error: String(error) }, "could not answer");
    return { status: 500, contentType: "text/plain", body: "internal error, see the log\n" };
  });
  response.writeHead(page.status, { "content-type": page.contentType });
  response.end(request.method === "HEAD" ? undefined : page.body);
}

/** RFC 6890: 127.0.0.0/8 and ::1; the first also as a dual-stack socket shows it. */
export function isLoopback(address: string): boolean {
  return address === "::1" || /^(?:::ffff:)?127\./.test(address);
}

/** RFC 9110 section 7.2: a name or a literal, and perhaps a port. */
function isLoopbackHost(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i.test(host);
}

function portOf(server: Server): number {
  const address: string | AddressInfo | null = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
