/**
 * The page's server: one HTML file, JSON of messages, events as they come, and the parts of messages. It only reads:
 * nothing but GET and HEAD is answered, on loopback alone, and only by its own names.
 */
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";
import { behaviourRows, codeRow } from "../capture/behaviour.ts";
import { capturedPath, readContent, readWhole } from "./content.ts";
import { detailOf } from "./detail.ts";
import type { Feed } from "./feed.ts";
import { frameDocument, framePolicy } from "./frame.ts";
import { usualHeaders, inertPolicy, isOwnHost, pagePolicy, partHeaders } from "./guard.ts";
import { outlineOf } from "./outline.ts";
import type { History } from "./story.ts";

const pageFile = fileURLToPath(new URL("page.html", import.meta.url));

export interface PageSettings {
  readonly host: string;
  readonly port: number;
  /** Where captured messages lie. */
  readonly directory: string;
  readonly history: History;
  readonly feed: Feed;
  readonly onError: (error: Error) => void;
}

export interface PageServer {
  readonly port: number;
  close(): Promise<void>;
}

/** What is sent: text, octets, a file, or the feed from here on. */
interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer | { readonly file: string } | { readonly feedFrom: string | undefined };
}

export async function startPage(settings: PageSettings): Promise<PageServer> {
  const server = createServer((request, response) => {
    answer(settings, request, portOf(server))
      .then((answered) => send(settings, response, answered))
      .catch((error: unknown) => {
        settings.onError(error instanceof Error ? error : new Error(String(error)));
        if (response.headersSent) response.destroy();
        else send(settings, response, plain(500, "The page's server failed: the terminal says how."));
      });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(settings.port, settings.host, () => resolve());
  });
  return {
    port: portOf(server),
    close: () =>
      new Promise((resolve) => {
        settings.feed.close();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(settings: PageSettings, request: IncomingMessage, port: number): Promise<Answer> {
  if (!isOwnHost(request.headers.host, port))
    return plain(421, `This is http://localhost:${port}/ and answers to no other name.`);
  if (request.method !== "GET" && request.method !== "HEAD")
    return { ...plain(405, "This page only reads."), ...readOnly };
  const url = URL.parse(request.url ?? "/", `http://localhost:${port}`);
  if (url === null) return notFound;
  const [room = "", ...path] = url.pathname.slice(1).split("/").map(decoded);
  if (room === "" && path.length === 0) return pageAnswer();
  if (room === "messages") return messageAnswer(settings.directory, path, url.searchParams);
  if (room !== "api") return notFound;
  if (path[0] === "events" && path.length === 1) {
    if (request.method === "HEAD") return plain(200, "");
    const feedFrom = request.headers["last-event-id"]?.toString();
    return { status: 200, headers: { "content-type": "text/event-stream; charset=utf-8" }, body: { feedFrom } };
  }
  return apiAnswer(settings, path);
}

async function pageAnswer(): Promise<Answer> {
  const body = await readFile(pageFile, "utf8");
  const headers = { "content-type": "text/html; charset=utf-8", "content-security-policy": pagePolicy(body) };
  return { status: 200, headers, body };
}

/** `/api/recipients`, `/api/messages`, `/api/messages/<id>`. */
async function apiAnswer({ history, directory }: PageSettings, path: readonly string[]): Promise<Answer> {
  const [room, id] = path;
  if (room === "recipients" && path.length === 1)
    return json([...behaviourRows, codeRow].map(({ localPart, does }) => ({ localPart, does })));
  if (room !== "messages" || path.length > 2) return notFound;
  if (id === undefined) return json(history.stories.map((story) => outlineOf(story, history)));
  const story = history.find(id);
  if (story === undefined) return plain(404, "This message is not known (any more).");
  const detail = detailOf(story, history);
  const copies = await Promise.all(
    detail.copies.map(async (copy) => {
      const file = await capturedPath(directory, copy.file);
      return { ...copy, content: file === undefined ? null : await readContent(file) };
    }),
  );
  return json({ ...detail, copies });
}

/** `/messages/<file>/source`, `/html`, `/parts/<number>`. */
async function messageAnswer(directory: string, path: readonly string[], wishes: URLSearchParams): Promise<Answer> {
  const [name = "", what, number] = path;
  const file = await capturedPath(directory, name);
  if (file === undefined) return notFound;
  if (what === "source" && path.length === 2) return { ...sourceAnswer(name, wishes.has("save")), body: { file } };
  const message = await readWhole(file);
  if (message === undefined) return plain(404, "This message cannot be taken apart.");
  if (what === "html" && path.length === 2 && message.html !== undefined) {
    const headers = { "content-type": "text/html; charset=utf-8", "content-security-policy": framePolicy };
    return { status: 200, headers, body: frameDocument(message.html, message.parts) };
  }
  const part = what === "parts" && path.length === 3 ? message.parts[Number(number)] : undefined;
  if (part === undefined) return notFound;
  return { status: 200, headers: partHeaders(part, wishes.has("show")), body: part.bytes };
}

function sourceAnswer(name: string, isSaved: boolean): Omit<Answer, "body"> {
  return {
    status: 200,
    headers: {
      "content-type": isSaved ? "application/octet-stream" : "text/plain; charset=utf-8",
      "content-disposition": `${isSaved ? "attachment" : "inline"}; filename="${name}"`,
    },
  };
}

function json(value: unknown): Answer {
  return { status: 200, headers: { "content-type": "application/json; charset=utf-8" }, body: JSON.stringify(value) };
}

function plain(status: number, text: string): Answer {
  return { status, headers: { "content-type": "text/plain; charset=utf-8" }, body: `${text}\n` };
}

const notFound = plain(404, "There is nothing at this address.");
const readOnly = { headers: { "content-type": "text/plain; charset=utf-8", allow: "GET, HEAD" } };

function send({ feed, onError }: PageSettings, response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, { ...usualHeaders, "content-security-policy": inertPolicy, ...headers });
  if (typeof body === "string" || Buffer.isBuffer(body)) response.end(body);
  else if ("feedFrom" in body) feed.follow(response, body.feedFrom);
  else sendFile(response, body.file, onError);
}

/** The headers are gone when a file turns out to be unreadable: the browser sees a cut answer, the terminal says why. */
function sendFile(response: ServerResponse, file: string, onError: (error: Error) => void): void {
  const stream = createReadStream(file);
  stream.on("error", (error) => {
    onError(error);
    response.destroy();
  });
  response.on("close", () => stream.destroy());
  stream.pipe(response);
}

/** A part of a path that is no valid encoding finds nothing. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
