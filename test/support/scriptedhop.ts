/**
 * A next hop for tests: a small SMTP server on loopback that answers as its script says and remembers what it was told.
 * It keeps the bytes of DATA as they came, dots and all.
 */
import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { TLSSocket, createSecureContext } from "node:tls";

/** A reply, `close` to hang up without one, `silence` for none, or undefined for what a friendly server says. */
export type ScriptAnswer = string | undefined;

/** The reply after which the server hangs up: a TLS handshake that comes to nothing. */
export const replyAndClose = "220 2.0.0 and gone";
/** The reply after which the server says nothing any more, whatever it is sent. */
export const replyAndSilence = "220 2.0.0 and silent";

export interface Script {
  readonly extensions?: readonly string[];
  /** Asked for the greeting ("CONNECT"), each command line, and after 354 ("CONTENT") with the message ("END"). */
  readonly answer?: (line: string, session: HopSession) => ScriptAnswer | Promise<ScriptAnswer>;
  readonly tls?: { readonly key: string; readonly cert: string };
  readonly implicitTls?: boolean;
}

export interface HopSession {
  readonly number: number;
  readonly lines: string[];
  /** Commands as they arrived, one entry a segment: shows what was pipelined. */
  readonly segments: string[];
  readonly secure: boolean;
}

export interface ReceivedMessage {
  readonly session: number;
  readonly mail: string;
  readonly recipients: readonly string[];
  /** As sent, with the dots and the terminator. */
  readonly raw: Buffer;
}

export interface ScriptedHop {
  readonly port: number;
  readonly sessions: readonly HopSession[];
  readonly messages: readonly ReceivedMessage[];
  readonly openConnections: number;
  /** Resolves when this many messages were answered. */
  received(count: number): Promise<void>;
  close(): Promise<void>;
}

export const usualExtensions: readonly string[] = ["PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "SIZE 0"];

export async function startHop(script: Script = {}): Promise<ScriptedHop> {
  const hop = new Hop(script);
  await hop.listen();
  return hop;
}

class Hop implements ScriptedHop {
  readonly sessions: Conversation[] = [];
  readonly messages: ReceivedMessage[] = [];
  readonly script: Script;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #waiting = new Set<() => void>();

  constructor(script: Script) {
    this.script = script;
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      // Replies leave one by one; without this each waits for the client's delayed acknowledgement.
      socket.setNoDelay(true);
      socket.on("close", () => this.#sockets.delete(socket));
      const conversation = new Conversation(this, this.sessions.length);
      this.sessions.push(conversation);
      conversation.start(socket);
    });
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  keep(message: ReceivedMessage): void {
    this.messages.push(message);
    for (const wake of this.#waiting) wake();
  }

  async received(count: number): Promise<void> {
    while (this.messages.length < count) {
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
      });
      this.#waiting.clear();
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, "close");
  }
}

class Conversation implements HopSession {
  readonly number: number;
  readonly lines: string[] = [];
  readonly segments: string[] = [];
  secure = false;
  readonly #hop: Hop;
  #socket: Socket | undefined;
  #buffer = Buffer.alloc(0);
  #inData = false;
  #busy = false;
  #mail = "";
  #recipients: string[] = [];

  constructor(hop: Hop, number: number) {
    this.#hop = hop;
    this.number = number;
  }

  start(socket: Socket): void {
    const { script } = this.#hop;
    socket.on("error", () => undefined);
    if (script.implicitTls) this.#secure(socket);
    else this.#attach(socket);
    void this.#reply("CONNECT", "220 hop.test ready");
  }

  #attach(socket: Socket): void {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      if (!this.#inData) this.segments.push(chunk.toString("utf8"));
      this.#buffer = Buffer.concat([this.#buffer, chunk]);
      void this.#work();
    });
  }

  #secure(socket: Socket): void {
    const { tls } = this.#hop.script;
    if (tls === undefined) throw new Error("the script has no certificate");
    socket.removeAllListeners("data");
    const secured = new TLSSocket(socket, { isServer: true, secureContext: createSecureContext(tls) });
    secured.on("error", () => socket.destroy());
    this.secure = true;
    this.#attach(secured);
  }

  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    while (await (this.#inData ? this.#readContent() : this.#readLine()));
    this.#busy = false;
  }

  async #readLine(): Promise<boolean> {
    const end = this.#buffer.indexOf("\r\n");
    if (end === -1) return false;
    const line = this.#buffer.toString("utf8", 0, end);
    this.#buffer = this.#buffer.subarray(end + 2);
    this.lines.push(line);
    await this.#reply(line, this.#friendly(line));
    return true;
  }

  async #readContent(): Promise<boolean> {
    // RFC 5321 section 4.1.1.4: the CRLF of DATA itself begins the first line.
    const isEmpty = this.#buffer.indexOf(".\r\n") === 0;
    const end = isEmpty ? 3 : this.#buffer.indexOf("\r\n.\r\n") + 5;
    if (end < 5 && !isEmpty) return false;
    const raw = this.#buffer.subarray(0, end);
    this.#buffer = this.#buffer.subarray(end);
    this.#inData = false;
    const message = { session: this.number, mail: this.#mail, recipients: this.#recipients, raw };
    await this.#reply("END", "250 2.0.0 taken");
    this.#recipients = [];
    this.#mail = "";
    this.#hop.keep(message);
    return true;
  }

  async #reply(line: string, friendly: string): Promise<void> {
    const answer = (await this.#hop.script.answer?.(line, this)) ?? friendly;
    if (answer === "close") {
      this.#socket?.destroy();
      return;
    }
    if (answer === "silence") return;
    this.#socket?.write(`${answer}\r\n`);
    this.#follow(line, answer);
  }

  #follow(line: string, answer: string): void {
    if (answer === replyAndSilence) {
      this.#socket?.removeAllListeners("data").resume();
      return;
    }
    const verb = line.toUpperCase();
    const taken = answer.startsWith("2");
    if (/^(?:421|451 4\.4\.2) /.test(answer)) this.#socket?.end();
    if (answer === replyAndClose) {
      this.#socket?.destroySoon();
      return;
    }
    if (verb.startsWith("MAIL") && taken) this.#mail = line;
    if (verb.startsWith("RCPT") && taken) this.#recipients.push(line);
    if (verb === "RSET") {
      this.#recipients = [];
      this.#mail = "";
    }
    if (verb === "QUIT") this.#socket?.end();
    if (verb === "DATA" && answer.startsWith("354")) this.#inData = true;
    if (verb === "STARTTLS" && taken && this.#socket !== undefined) {
      this.#buffer = Buffer.alloc(0);
      this.#secure(this.#socket);
    }
  }

  #friendly(line: string): string {
    const verb = line.split(/[ :]/)[0]?.toUpperCase();
    if (verb === "EHLO") {
      const offered = this.#hop.script.extensions ?? usualExtensions;
      const lines = ["hop.test", ...(this.secure ? offered.filter((name) => name !== "STARTTLS") : offered)];
      return lines.map((text, index) => `250${index === lines.length - 1 ? " " : "-"}${text}`).join("\r\n");
    }
    if (verb === "STARTTLS") return "220 2.0.0 go ahead";
    if (verb === "AUTH") return "235 2.7.0 welcome";
    // RFC 5321 section 4.1.4: no RCPT without MAIL.
    if (verb === "RCPT" && this.#mail === "") return "503 5.5.1 MAIL first";
    if (verb === "DATA") return this.#recipients.length > 0 ? "354 go on" : "554 5.5.1 no valid recipients";
    if (verb === "QUIT") return "221 2.0.0 bye";
    return "250 2.1.0 ok";
  }
}
