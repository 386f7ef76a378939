/**
 * Speaks to one peer's administration port: TLS 1.3 with the certificate that all pods of the relay share, connections kept.
 *
 * Promise: an answer says which of these it is: the peer has the message, the peer does not have it, or nobody knows. Nothing is
 * thrown for a peer that fails.
 */
import type { IncomingMessage } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { pipeline } from "node:stream/promises";
import type { TLSSocket } from "node:tls";
import { identityOf, relayIdentity, type Peer } from "../../api/administration.ts";
import { staying } from "../config/mode.ts";
import type { PeerCertificate, SnapshotSource } from "../config/snapshot.ts";
import type { OfferName } from "../spool/offers.ts";
import type { WholeMessage } from "../spool/message/message.ts";
import { encodeHead, handoffPath, headerName } from "./wire.ts";

export type Given =
  | { readonly kind: "taken" }
  | { readonly kind: "known" }
  /** The peer takes no mail now, or none from us. It does not have the message. */
  | { readonly kind: "refused"; readonly reason: string }
  /** The peer cannot take this message. It does not have it. */
  | { readonly kind: "set aside"; readonly reason: string }
  /** Nothing of the message was sent. */
  | { readonly kind: "unreachable"; readonly reason: string }
  /** It may have the message or not. */
  | { readonly kind: "unknown"; readonly reason: string };

export type Known =
  { readonly kind: "has it" | "does not have it" } | { readonly kind: "unknown"; readonly reason: string };

export interface ClientOptions {
  readonly snapshots: SnapshotSource;
  /** Of this spool and this pod, as every request says. */
  readonly spoolId: string;
  readonly name: string;
  readonly readBody: (id: OfferName["id"]) => NodeJS.ReadableStream;
}

export interface Transfer {
  readonly whole: WholeMessage;
  readonly offer: string;
  /** ms since the epoch. */
  readonly offeredAt: number;
  readonly peer: Peer;
  /** Trace context of the transfer. */
  readonly context: string | undefined;
}

/** Refused for reasons of the peer, and for reasons of the message: in both cases nothing was kept. */
const refusals: ReadonlySet<number> = new Set([401, 403, 404, 405, 409, 410, 421, 503, 507]);
const setAside: ReadonlySet<number> = new Set([400, 413, 422]);

/** Without a sign of life. A body of 50 MiB takes less between two of its chunks. */
const silenceMs = 60_000;
const longestAnswer = 4_096;

export class HandoffClient {
  readonly #options: ClientOptions;
  #agent: { readonly agent: Agent; readonly certificate: PeerCertificate } | undefined;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async give({ whole, offer, offeredAt, peer, context }: Transfer): Promise<Given> {
    const { id, body } = whole.message;
    const { delivery } = this.#options.snapshots.current().relay;
    const head = encodeHead(whole, (address) => staying(delivery, address));
    const bodyBytes = body.kind === "inline" ? body.bytes.length : body.sizeBytes;
    const headers = {
      "content-length": String(head.length + bodyBytes),
      [headerName.offeredAt]: String(offeredAt),
      ...(context === undefined ? {} : { [headerName.trace]: context }),
    };
    let unreadable: string | undefined;
    const asked = await this.#ask({ method: "PUT", peer, name: { id, offer }, headers }, async (request) => {
      request.write(head);
      if (body.kind === "inline") {
        request.end(body.bytes);
        return;
      }
      const stored = this.#options.readBody(id);
      let isRead = false;
      stored.once("end", () => (isRead = true));
      stored.on("error", (error) => {
        // Its own fault and not the connection's, which ends both. The peer got fewer octets than it was told of, and keeps nothing.
        if (!isRead && !request.destroyed) unreadable = `the body cannot be read: ${reasonOf(error)}`;
      });
      await pipeline(stored, request);
    });
    if (asked.kind === "unknown" && unreadable !== undefined) return { kind: "set aside", reason: unreadable };
    if (asked.kind !== "answered") return asked;
    const { status, text } = asked;
    if (status === 201) return { kind: "taken" };
    if (status === 200) return { kind: "known" };
    const reason = `${status} ${text}`;
    if (refusals.has(status)) return { kind: "refused", reason };
    return { kind: setAside.has(status) ? "set aside" : "unknown", reason };
  }

  /** Never rejects. After `does not have it` the peer will not take it by this offer any more. */
  async ask(name: OfferName, peer: Peer): Promise<Known> {
    const asked = await this.#ask({ method: "GET", peer, name, headers: {} }, async (request) => {
      request.end();
    });
    if (asked.kind !== "answered") return { kind: "unknown", reason: asked.reason };
    if (asked.status === 200) return { kind: "has it" };
    return asked.status === 404
      ? { kind: "does not have it" }
      : { kind: "unknown", reason: `${asked.status} ${asked.text}` };
  }

  close(): void {
    this.#agent?.agent.destroy();
  }

  async #ask({ method, peer, name, headers }: Question, send: Sender): Promise<Asked> {
    const agent = this.#currentAgent();
    if (agent === undefined) return { kind: "unreachable", reason: "this pod has no peer certificate" };
    const request = httpsRequest({
      agent,
      method,
      host: peer.host,
      port: peer.port,
      path: `${handoffPath}${name.id}`,
      timeout: silenceMs,
      headers: {
        ...headers,
        [headerName.offer]: name.offer,
        [headerName.spool]: this.#options.spoolId,
        [headerName.from]: this.#options.name,
      },
    });
    const progress: { isSent: boolean } = { isSent: false };
    request.on("socket", (socket: TLSSocket) => {
      // A kept connection is used at once; on a new one nothing leaves before the handshake is through.
      if (request.reusedSocket || !socket.connecting) progress.isSent = true;
      else socket.once("secureConnect", () => (progress.isSent = true));
    });
    request.once("timeout", () => request.destroy(new Error(`no sign of life for ${silenceMs / 1000} s`)));
    // Once more for what fails after the answer: a peer that refuses does not wait for the rest of a large body.
    request.on("error", () => undefined);
    const answer = Promise.withResolvers<IncomingMessage>();
    request.once("response", answer.resolve);
    request.once("error", answer.reject);
    try {
      send(request).catch((error: unknown) => request.destroy(error instanceof Error ? error : undefined));
      const response = await answer.promise;
      return { kind: "answered", status: response.statusCode ?? 0, text: await textOf(response) };
    } catch (error) {
      return { kind: progress.isSent ? "unknown" : "unreachable", reason: reasonOf(error) };
    }
  }

  /** A new certificate is used from the next connection on; what is under way on an old one ends there. */
  #currentAgent(): Agent | undefined {
    const { peer: certificate, relay } = this.#options.snapshots.current();
    if (certificate === undefined) return undefined;
    if (this.#agent?.certificate === certificate) return this.#agent.agent;
    const wanted = relayIdentity(relay.relay);
    const agent = new Agent({
      keepAlive: true,
      cert: certificate.chain,
      key: certificate.privateKey,
      ca: certificate.authorities,
      minVersion: "TLSv1.3",
      checkServerIdentity: (host, { subjectaltname }) =>
        identityOf(subjectaltname) === wanted ? undefined : new Error(`${host} is not a pod of this relay`),
    });
    this.#agent = { agent, certificate };
    return agent;
  }
}

interface Question {
  readonly method: "PUT" | "GET";
  readonly peer: Peer;
  readonly name: OfferName;
  readonly headers: Readonly<Record<string, string>>;
}

type Sender = (request: ReturnType<typeof httpsRequest>) => Promise<void>;

type Asked =
  | { readonly kind: "answered"; readonly status: number; readonly text: string }
  | { readonly kind: "unknown" | "unreachable"; readonly reason: string };

/** The first words; what else there is is read and dropped, so that the connection can be used again. */
async function textOf(response: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of response) if (text.length < longestAnswer) text += String(chunk);
  return text.slice(0, longestAnswer).trim();
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
