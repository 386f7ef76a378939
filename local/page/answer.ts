/** What the page's server answers, and how it is sent. */
import { createReadStream } from "node:fs";
import type { ServerResponse } from "node:http";
import type { Octets } from "./content.ts";
import type { Feed } from "./feed.ts";
import { inertPolicy, usualHeaders } from "./guard.ts";

/** Text, octets wherever they lie, or the feed from here on. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Octets | { readonly feedFrom: string | undefined };
}

export function json(value: unknown): Answer {
  return { status: 200, headers: { "content-type": "application/json; charset=utf-8" }, body: JSON.stringify(value) };
}

/** A sentence, for whoever reads it. */
export function plain(status: number, text: string): Answer {
  return { status, headers: { "content-type": "text/plain; charset=utf-8" }, body: `${text}\n` };
}

export const notFound = plain(404, "There is nothing at this address.");

/** A message as it is. The name is one of ours. */
export function sourceAnswer(name: string, octets: Octets, isSaved: boolean): Answer {
  return {
    status: 200,
    headers: {
      "content-type": isSaved ? "application/octet-stream" : "text/plain; charset=utf-8",
      "content-disposition": `${isSaved ? "attachment" : "inline"}; filename="${name}"`,
    },
    body: octets,
  };
}

export interface Sending {
  readonly feed: Feed;
  readonly onError: (error: Error) => void;
}

export function send({ feed, onError }: Sending, response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, { ...usualHeaders, "content-security-policy": inertPolicy, ...headers });
  if (typeof body === "string" || Buffer.isBuffer(body)) response.end(body);
  else if ("feedFrom" in body) feed.follow(response, body.feedFrom);
  else sendFile(response, body, onError);
}

/** The headers are gone when a file turns out to be unreadable: the browser sees a cut answer, the terminal says why. */
function sendFile(
  response: ServerResponse,
  { head, file }: Exclude<Octets, Buffer>,
  onError: (error: Error) => void,
): void {
  if (head !== undefined) response.write(head);
  const stream = createReadStream(file);
  stream.on("error", (error) => {
    onError(error);
    response.destroy();
  });
  response.on("close", () => stream.destroy());
  stream.pipe(response);
}
