/**
 * One question to one server: by UDP from a port of its own, by TCP when the answer is too large.
 *
 * Promise: it never rejects; no answer within the time is a failure. What does not fit question and id is not heard, so
 * that who guesses has to guess id and port (RFC 5452 section 9).
 */
import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { connect, isIPv6 } from "node:net";
import type { Question } from "./answer.ts";
import { queryPacket, readPacket, type Asked, type Reading } from "./packet.ts";
import type { NameServer } from "./servers.ts";

export interface Query {
  readonly server: NameServer;
  readonly question: Question;
  readonly timeoutMs: number;
  readonly stopping: AbortSignal;
}

export async function askServer(query: Query): Promise<Reading> {
  let edns = true;
  let byTcp = false;
  // Each turn gives one thing up: EDNS, or UDP.
  for (let turn = 0; turn < 3; turn += 1) {
    const asked = { question: query.question, id: randomInt(0x10000), edns };
    const reading = await (byTcp ? askByTcp(query, asked) : askByUdp(query, asked));
    if (reading.kind === "no-edns") edns = false;
    else if (reading.kind === "truncated" && !byTcp) byTcp = true;
    else return reading;
  }
  return { kind: "failed", detail: "no usable answer" };
}

function askByUdp(query: Query, asked: Asked): Promise<Reading> {
  const { address, port } = query.server;
  const packet = queryPacket(asked);
  return within(query, (settle) => {
    const socket = createSocket(isIPv6(address) ? "udp6" : "udp4");
    socket.on("error", (error) => settle({ kind: "failed", detail: errorWord(error) }));
    socket.on("message", (octets) => {
      const reading = readPacket(octets, asked);
      if (reading.kind !== "foreign") settle(reading);
    });
    // Connected: the kernel takes packets of this server only, and tells us when nobody listens there.
    let isOpen = true;
    // Not as connect()'s own callback: that would be called when there is no way to the server, too.
    socket.on("connect", () => {
      if (isOpen) socket.send(packet);
    });
    socket.connect(port, address);
    return () => {
      isOpen = false;
      socket.close();
    };
  });
}

/** RFC 1035 section 4.2.2: two octets of length before each message. */
function askByTcp(query: Query, asked: Asked): Promise<Reading> {
  const { address, port } = query.server;
  const packet = queryPacket(asked);
  return within(query, (settle) => {
    const socket = connect({ host: address, port });
    let received = Buffer.alloc(0);
    socket.on("connect", () => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(packet.length);
      socket.write(Buffer.concat([length, packet]));
    });
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      const reading = readPacket(received.subarray(2, 2 + received.readUInt16BE(0)), asked);
      settle(reading.kind === "foreign" ? { kind: "failed", detail: "an answer to another question" } : reading);
    });
    socket.on("error", (error) => settle({ kind: "failed", detail: errorWord(error) }));
    socket.on("close", () => settle({ kind: "failed", detail: "connection closed" }));
    return () => socket.destroy();
  });
}

/** Runs `start` until it settles, time is up or the relay stops; then what it returned cleans up, once. */
function within(
  { timeoutMs, stopping }: Query,
  start: (settle: (reading: Reading) => void) => () => void,
): Promise<Reading> {
  if (stopping.aborted) return Promise.resolve({ kind: "failed", detail: "the relay is stopping" });
  const { promise, resolve } = Promise.withResolvers<Reading>();
  const stop = (): void => resolve({ kind: "failed", detail: "the relay is stopping" });
  const timer = setTimeout(() => resolve({ kind: "failed", detail: "timeout" }), timeoutMs);
  stopping.addEventListener("abort", stop);
  const end = start(resolve);
  return promise.finally(() => {
    clearTimeout(timer);
    stopping.removeEventListener("abort", stop);
    end();
  });
}

function errorWord(error: Error): string {
  return "code" in error ? String(error.code) : error.message;
}
