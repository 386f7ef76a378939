/**
 * A client that writes octets in packets of any size and believes no reply: each must have the form that RFC 5321 section 4.2 and
 * RFC 2034 section 4 give it, and must come, or the end of the connection, within a time.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { setImmediate as turn } from "node:timers/promises";

/** Longer than what a failed login or a stranger's twentieth command costs. */
const patienceMs = 15_000;
const longestLine = 512;

export type Heard =
  | {
      readonly kind: "reply";
      readonly code: number;
      readonly enhanced: string | undefined;
      readonly lines: readonly string[];
    }
  | { readonly kind: "end" };

/** One whole reply out of what came, undefined when its end is not there. Throws at what is none. */
export function takeReply(
  received: string,
): { readonly reply: Extract<Heard, { kind: "reply" }>; readonly length: number } | undefined {
  const lines: string[] = [];
  let code: string | undefined;
  for (let at = 0; ;) {
    const end = received.indexOf("\n", at);
    if (end === -1) {
      if (received.length - at > 20_000) throw new Error(`a reply of ${received.length - at} octets without an end`);
      return undefined;
    }
    const line = received.slice(at, end + 1);
    const [, ownCode, mark = " ", text = ""] = /^([2-5][0-5]\d)(?:([ -])([\t\x20-\x7e]*))?\r\n$/.exec(line) ?? [];
    if (ownCode === undefined || (code ??= ownCode) !== ownCode) throw new Error(`no reply: ${JSON.stringify(line)}`);
    // RFC 4954 section 4: a challenge is longer than other replies may be (RFC 5321 section 4.5.3.1.5).
    if (ownCode !== "334" && line.length > longestLine) throw new Error(`a reply of ${line.length} octets`);
    lines.push(text);
    at = end + 1;
    if (mark === "-") continue;
    const enhanced = /^([245]\.\d{1,3}\.\d{1,3})(?: |$)/.exec(lines[0] ?? "")?.[1];
    if (enhanced !== undefined && enhanced.charAt(0) !== code.charAt(0))
      throw new Error(`two classes: ${code} ${enhanced}`);
    return { reply: { kind: "reply", code: Number(code), enhanced, lines }, length: at };
  }
}

export class OctetClient {
  #socket: Socket;
  /** Below TLS, where there is any. */
  readonly #plain: Socket;
  readonly #packet: number;
  #received = "";
  #isOver = false;
  #wake: () => void = () => undefined;

  private constructor(socket: Socket, packet: number) {
    this.#socket = socket;
    this.#plain = socket;
    this.#packet = packet;
    this.#listen();
  }

  static async open(place: {
    readonly port: number;
    readonly from: string;
    readonly isTls: boolean;
    readonly packet: number;
  }): Promise<OctetClient> {
    const { port, from, isTls, packet } = place;
    const socket = connect({ host: "127.0.0.1", port, localAddress: from, noDelay: true, allowHalfOpen: true });
    await once(socket, "connect");
    const client = new OctetClient(socket, packet);
    if (isTls) await client.upgrade();
    return client;
  }

  #listen(): void {
    const socket = this.#socket;
    const over = (): void => {
      if (socket !== this.#socket) return;
      this.#isOver = true;
      this.#wake();
    };
    socket.on("data", (chunk: Buffer) => {
      this.#received += chunk.toString("latin1");
      this.#wake();
    });
    // A reset is the end of a connection as well.
    socket.on("error", over);
    socket.on("end", over);
    socket.on("close", over);
  }

  async upgrade(): Promise<void> {
    this.#plain.removeAllListeners("data");
    this.#socket = connectTls({ socket: this.#plain, rejectUnauthorized: false });
    this.#listen();
    await within(once(this.#socket, "secureConnect"), "handshake");
  }

  /** Each character is an octet. */
  async write(text: string): Promise<void> {
    const octets = Buffer.from(text, "latin1");
    // Octet by octet only where it tells something; a long line would take for ever.
    const packet = Math.max(this.#packet, Math.ceil(octets.length / 200));
    for (let at = 0; at < octets.length && this.#socket.writable; at += packet) {
      this.#socket.write(octets.subarray(at, at + packet));
      if (at + packet < octets.length) await turn();
    }
  }

  /** The next reply, or that none comes any more. */
  async hear(): Promise<Heard> {
    const deadline = performance.now() + patienceMs;
    for (;;) {
      const taken = takeReply(this.#received);
      if (taken !== undefined) {
        this.#received = this.#received.slice(taken.length);
        return taken.reply;
      }
      if (this.#isOver) {
        if (this.#received !== "") throw new Error(`half a reply: ${JSON.stringify(this.#received)}`);
        return { kind: "end" };
      }
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`neither a reply nor an end within ${patienceMs} ms`);
      await this.#something(left);
    }
  }

  async #something(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, ms);
    await promise;
    clearTimeout(timer);
  }

  /** What came and was asked for by nothing. */
  get unasked(): string {
    return this.#received;
  }

  halfClose(): void {
    this.#socket.end();
  }

  /** By a reset where there is no TLS, of which Node makes none. */
  reset(): void {
    if (this.#socket === this.#plain) this.#plain.resetAndDestroy();
    else this.#socket.destroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => reject(new Error(`no ${what} within ${patienceMs} ms`)), patienceMs);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
