/** A raw SMTP client: exact octets, replies as they come, pipelining where a test wants it. No library of ours in between. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { keepSecret } from "./secrets/disclosure.ts";

export interface WireReply {
  readonly code: number;
  /** Lines without their code, joined by LF. */
  readonly text: string;
}

export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}

export class WireClient {
  #socket: Socket;
  #buffer = "";
  #replies: WireReply[] = [];
  #lines: string[] = [];
  #waiting: { readonly resolve: (reply: WireReply) => void; readonly reject: (error: Error) => void }[] = [];
  #closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#attach(socket);
  }

  /** Resolves when the connection is there; the greeting is the first reply. */
  static async open(port: number, tls: "none" | "implicit" = "none"): Promise<WireClient> {
    const socket =
      tls === "implicit"
        ? connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false })
        : connect({ host: "127.0.0.1", port, noDelay: true });
    const client = new WireClient(socket);
    await once(socket, tls === "implicit" ? "secureConnect" : "connect");
    return client;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  reply(): Promise<WireReply> {
    const ready = this.#replies.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    if (this.#closed) return Promise.reject(new ConnectionLost("the connection is closed"));
    const { promise, resolve, reject } = Promise.withResolvers<WireReply>();
    this.#waiting.push({ resolve, reject });
    return promise;
  }

  write(octets: string | Buffer): void {
    this.#socket.write(typeof octets === "string" ? Buffer.from(octets, "latin1") : octets);
  }

  /** Resolves when the kernel has taken the octets, so that a large message is not kept twice. */
  async writeAll(octets: Buffer): Promise<void> {
    if (!this.#socket.write(octets)) await once(this.#socket, "drain");
  }

  async command(line: string): Promise<WireReply> {
    this.write(`${line}\r\n`);
    return this.reply();
  }

  async startTls(): Promise<WireReply> {
    const reply = await this.command("STARTTLS");
    if (reply.code !== 220) return reply;
    this.#socket.removeAllListeners("data");
    this.#socket.removeAllListeners("close");
    const secure = connectTls({ socket: this.#socket, rejectUnauthorized: false });
    await once(secure, "secureConnect");
    this.#socket = secure;
    this.#attach(secure);
    return reply;
  }

  async authPlain(name: string, password: string): Promise<WireReply> {
    keepSecret("a password that a client said", password);
    return this.command(`AUTH PLAIN ${Buffer.from(`\0${name}\0${password}`).toString("base64")}`);
  }

  /** Greeting and EHLO, up to where MAIL is next. */
  async hello(name = "client.example.net"): Promise<WireReply> {
    const greeting = await this.reply();
    return greeting.code === 220 ? this.command(`EHLO ${name}`) : greeting;
  }

  /** A whole transaction, pipelined; the first reply that is not the one hoped for, or the last. */
  async send(sender: string, recipients: readonly string[], message: Buffer): Promise<WireReply> {
    const commands = [`MAIL FROM:<${sender}>`, ...recipients.map((each) => `RCPT TO:<${each}>`)];
    return this.transact(commands, message);
  }

  /** The same with MAIL and the RCPTs as whole lines, which may hold UTF-8. */
  async transact(commands: readonly string[], message: Buffer): Promise<WireReply> {
    this.write(Buffer.from([...commands, "DATA", ""].join("\r\n"), "utf8"));
    let refused: WireReply | undefined;
    for (const _ of commands) {
      const reply = await this.reply();
      if (reply.code !== 250) refused ??= reply;
    }
    const data = await this.reply();
    if (data.code !== 354) return refused ?? data;
    this.write(Buffer.concat([dotStuffed(message), Buffer.from(".\r\n")]));
    const final = await this.reply();
    return refused ?? final;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #attach(socket: Socket): void {
    socket.on("data", (chunk: Buffer) => this.#feed(chunk));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      this.#closed = true;
      for (const waiter of this.#waiting.splice(0)) waiter.reject(new ConnectionLost("the connection was closed"));
    });
  }

  #feed(chunk: Buffer): void {
    this.#buffer += chunk.toString("latin1");
    for (let end = this.#buffer.indexOf("\r\n"); end >= 0; end = this.#buffer.indexOf("\r\n")) {
      const line = this.#buffer.slice(0, end);
      this.#buffer = this.#buffer.slice(end + 2);
      this.#lines.push(line.slice(4));
      if (line[3] === "-") continue;
      const reply = { code: Number(line.slice(0, 3)), text: this.#lines.join("\n") };
      this.#lines = [];
      const waiter = this.#waiting.shift();
      if (waiter === undefined) this.#replies.push(reply);
      else waiter.resolve(reply);
    }
  }
}

/** RFC 5321 section 4.5.2. The message must end in CRLF; nothing else about it is touched. */
export function dotStuffed(message: Buffer): Buffer {
  const text = message.toString("latin1");
  const stuffed = text.startsWith(".") ? `.${text}` : text;
  return Buffer.from(stuffed.replaceAll("\r\n.", "\r\n.."), "latin1");
}

/** Opens, greets, and logs in the way the listener of that name wants it. */
export async function openSession(
  listener: { readonly name: string; readonly port: number },
  login?: { readonly name: string; readonly password: string },
): Promise<WireClient> {
  const client = await WireClient.open(listener.port, listener.name === "submissions" ? "implicit" : "none");
  await client.hello();
  if (login === undefined) return client;
  if (listener.name !== "submissions") {
    await client.startTls();
    await client.command("EHLO client.example.net");
  }
  const reply = await client.authPlain(login.name, login.password);
  if (reply.code !== 235) {
    client.destroy();
    throw new Error(`login: ${reply.code} ${reply.text}`);
  }
  return client;
}
