/**
 * The page's server: one HTML file, JSON of messages, events as they come, and the parts of messages. On loopback alone, and only by
 * its own names; what changes something is asked by its own page or with its token (guard.ts).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type Answer, json, notFound, plain, send, sourceAnswer } from "./answer.ts";
import { answerChange, answerQuestion, type Asked, partAnswer } from "./api.ts";
import { readAsset, readPage } from "./assets.ts";
import type { Feed } from "./feed.ts";
import { changeRefusal, isOwnHost, mayReadToken, pagePolicy, withToken } from "./guard.ts";
import type { CapturedFiles } from "./mailbox/capturedfiles.ts";
import type { Mailbox } from "./mailbox/mailbox.ts";

export interface PageSettings {
  readonly host: string;
  readonly port: number;
  readonly files: CapturedFiles;
  readonly mailbox: Mailbox;
  readonly feed: Feed;
  /** What changes something says it. */
  readonly token: string;
  readonly onError: (error: Error) => void;
  /** Told of each question. */
  readonly onAsked?: (() => void) | undefined;
}

export interface PageServer {
  readonly port: number;
  close(): Promise<void>;
}

export async function startPage(settings: PageSettings): Promise<PageServer> {
  const server = createServer((request, response) => {
    settings.onAsked?.();
    answer(settings, { request, port: portOf(server), signal: leaving(response) })
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

interface Visit {
  readonly request: IncomingMessage;
  readonly port: number;
  /** Aborted when whoever asked has gone. */
  readonly signal: AbortSignal;
}

async function answer(settings: PageSettings, visit: Visit): Promise<Answer> {
  const { request, port, signal } = visit;
  const { method = "" } = request;
  if (!isOwnHost(request.headers.host, port))
    return plain(421, `This is http://localhost:${port}/ and answers to no other name.`);
  const isQuestion = method === "GET" || method === "HEAD";
  if (!isQuestion && method !== "POST" && method !== "DELETE") return notAllowed;
  const refused = isQuestion ? undefined : changeRefusal(request.headers, settings.token, port);
  if (refused !== undefined) return plain(403, refused);
  const url = URL.parse(request.url ?? "/", `http://localhost:${port}`);
  if (url === null) return notFound;
  const [room = "", ...path] = url.pathname.slice(1).split("/").map(decoded);
  const asked = { path, wishes: url.searchParams, signal };
  if (!isQuestion) return room === "api" ? answerChange(settings.mailbox, method, asked) : notFound;
  if (room === "" && path.length === 0) return pageAnswer(settings.token, request.headers.host ?? "");
  if (room === "page" && path.length === 1) return assetAnswer(path[0] ?? "");
  if (room === "favicon.svg" && path.length === 0) return assetAnswer(room);
  if (room === "messages") return fileAnswer(settings.files, asked);
  if (room !== "api") return notFound;
  if (path[0] === "events" && path.length === 1) return eventsAnswer(request);
  if (path[0] === "token" && path.length === 1) return tokenAnswer(settings.token, visit);
  return answerQuestion(settings.mailbox, asked);
}

async function pageAnswer(token: string, host: string): Promise<Answer> {
  const headers = { "content-type": "text/html; charset=utf-8", "content-security-policy": pagePolicy(host) };
  return { status: 200, headers, body: withToken(await readPage(), token) };
}

async function assetAnswer(name: string): Promise<Answer> {
  const asset = await readAsset(name);
  return asset === undefined ? notFound : { status: 200, headers: { "content-type": asset.type }, body: asset.text };
}

function eventsAnswer({ method, headers }: IncomingMessage): Answer {
  if (method === "HEAD") return plain(200, "");
  const feedFrom = headers["last-event-id"]?.toString();
  return { status: 200, headers: { "content-type": "text/event-stream; charset=utf-8" }, body: { feedFrom } };
}

function tokenAnswer(token: string, { request, port }: Visit): Answer {
  if (!mayReadToken(request.headers, port)) return plain(403, "The token is for this machine, and for no other site.");
  return json({ token });
}

/** `/messages/<file>/source`, `/html`, `/parts/<number>`: of one captured file. */
async function fileAnswer(files: CapturedFiles, { path, wishes }: Asked): Promise<Answer> {
  const [name = "", what] = path;
  const file = await files.path(name);
  if (file === undefined) return notFound;
  if (what === "source" && path.length === 2) return sourceAnswer(name, { file }, wishes.has("save"));
  return partAnswer({ file }, path.slice(1), wishes);
}

const notAllowed: Answer = {
  ...plain(405, "This page knows GET, POST and DELETE."),
  headers: { "content-type": "text/plain; charset=utf-8", allow: "GET, HEAD, POST, DELETE" },
};

/** A part of a path that is no valid encoding finds nothing. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function leaving(response: ServerResponse): AbortSignal {
  const left = new AbortController();
  response.once("close", () => left.abort());
  return left.signal;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
