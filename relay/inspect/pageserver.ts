/**
 * The verb `captured`: a page with the captured mail of a spool, on loopback alone, for as long as somebody looks. It reads the spool
 * and changes nothing.
 *
 * On failure to read, the answer says so, and the next one tries again.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Clock } from "../../runtime/clock.ts";
import { openReader } from "../spool/local/reading/reader.ts";
import type { SpoolReader } from "../spool/queue.ts";
import { headers, listPage, messagePage } from "./capturedpage.ts";

export interface PageServerOptions {
  readonly directory: string;
  readonly port: number;
  readonly clock: Clock;
  /** Without a question for so long it ends; who left it behind cannot end it. */
  readonly idleMs?: number;
}

export interface PageServer {
  readonly port: number;
  /** Resolves when nobody has asked for long, or after close(). */
  readonly ended: Promise<void>;
  close(): void;
}

const quarterHourMs = 900_000;
const listed = 1_000;

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string | Buffer;
}

/** Rejects with what is in the way: a port that is taken, no spool there. */
export async function openPageServer(options: PageServerOptions): Promise<PageServer> {
  const { directory, port, idleMs = quarterHourMs } = options;
  await openReader(directory).close();
  const ended = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    idle.refresh();
    void respond(options, request, response);
  });
  server.once("close", () => ended.resolve());
  const close = (): void => {
    clearTimeout(idle);
    server.close();
    server.closeAllConnections();
  };
  const idle = setTimeout(close, idleMs);
  try {
    await listen(server, port);
  } catch (error) {
    clearTimeout(idle);
    throw error;
  }
  const { port: actual } = server.address() as AddressInfo;
  return { port: actual, ended: ended.promise, close };
}

async function listen(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const isTaken = error.code === "EADDRINUSE";
      const words = `port ${port} is taken: another one may serve the page there already; name another with --port`;
      reject(isTaken ? new Error(words, { cause: error }) : error);
    });
    server.listen({ port, host: "127.0.0.1" }, () => resolve());
  });
}

/** Never rejects. */
async function respond(options: PageServerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const answer = await answerTo(options, request).catch((error: unknown) => plain(500, String(error)));
  response.writeHead(answer.status, { ...headers, "content-type": answer.type });
  response.end(request.method === "HEAD" ? undefined : answer.body);
}

async function answerTo({ directory, clock }: PageServerOptions, request: IncomingMessage): Promise<Answer> {
  if (request.method !== "GET" && request.method !== "HEAD") return plain(405, "GET and HEAD only");
  // A page of somebody else's can make a name of its own point to loopback, and would read what is answered to that name.
  if (!isLoopbackHost(request.headers.host ?? "")) return plain(403, "ask for localhost");
  const url = new URL(`http://localhost${request.url ?? "/"}`);
  const reader = openReader(directory);
  try {
    if (url.pathname === "/") return html(listPage(await reader.captured(listed), listed, clock.now()));
    const row = /^\d{1,12}$/.test(url.searchParams.get("row") ?? "") ? Number(url.searchParams.get("row")) : undefined;
    if (row === undefined) return plain(404, "there is nothing here");
    return await messageAnswer(reader, url.pathname, row);
  } finally {
    await reader.close();
  }
}

async function messageAnswer(reader: SpoolReader, path: string, row: number): Promise<Answer> {
  const message = await reader.capturedMessage(row);
  if (message === undefined) return plain(404, "it is not here any more");
  if (path === "/message.eml") return { status: 200, type: "message/rfc822", body: message.octets };
  return path === "/message" ? html(messagePage(message)) : plain(404, "there is nothing here");
}

function html(body: string): Answer {
  return { status: 200, type: "text/html; charset=utf-8", body };
}

function plain(status: number, text: string): Answer {
  return { status, type: "text/plain; charset=utf-8", body: `${text}\n` };
}

/** RFC 9110 section 7.2: a name or a literal, and perhaps a port. */
function isLoopbackHost(host: string): boolean {
  return /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/i.test(host);
}
