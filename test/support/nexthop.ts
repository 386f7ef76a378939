/**
 * A next hop that does what the test says: replies by recipient and phase, drops connections, records what it got octet by
 * octet. Knows none of our code and none of our libraries.
 */
import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { TLSSocket, createSecureContext } from "node:tls";
import type { TestCertificate } from "./keys.ts";

/** A reply's full text without CRLF, or `drop`: the connection is cut instead. Undefined means yes. */
export type Verdict = string | undefined;

export interface Script {
  /** Instead of 220; `drop` cuts the connection, `silence` says nothing at all. Told which of its addresses was dialed. */
  readonly greeting?: string | ((address: string) => string | undefined);
  /** How long each reply takes. */
  readonly delayMs?: (address: string) => number;
  /** EHLO keywords beyond the first line. */
  readonly extensions?: readonly string[];
  readonly tls?: TestCertificate;
  /** Asked for each AUTH, which is whole in one line. */
  readonly login?: (line: string) => string;
  /** Asked for each RCPT; `attempt` counts from 1 for this address. */
  readonly recipient?: (address: string, attempt: number) => Verdict;
  /** Asked at the end of DATA; `attempt` counts from 1 for this message (its envelope recipients and body). */
  readonly data?: (mail: ReceivedMail) => Verdict;
  /** Asked when DATA starts; `drop` cuts the connection after the first octets. */
  readonly dropInData?: (sender: string, recipients: readonly string[]) => boolean;
}

export interface ReceivedMail {
  readonly sender: string;
  /** MAIL and the RCPTs that were taken, as they came. */
  readonly commands: readonly string[];
  readonly recipients: readonly string[];
  /** As it came, dot-stuffing removed, final CRLF included. */
  readonly message: Buffer;
  readonly secure: boolean;
  readonly at: number;
  readonly connection: number;
}

export interface RecipientCommand {
  readonly address: string;
  readonly at: number;
  readonly reply: string;
}

const defaultExtensions = ["PIPELINING", "8BITMIME", "SIZE 104857600", "SMTPUTF8", "ENHANCEDSTATUSCODES"];

export class NextHop {
  readonly mails: ReceivedMail[] = [];
  readonly recipientCommands: RecipientCommand[] = [];
  script: Script;
  connections = 0;
  /** The most that were open at a time and had not said QUIT. */
  peakConnections = 0;
  readonly #present = new Set<Socket>();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #attempts = new Map<string, number>();
  readonly #waiting = new Set<() => void>();

  private constructor(script: Script) {
    this.script = script;
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      this.connections += 1;
      this.#present.add(socket);
      socket.on("close", () => this.#present.delete(socket));
      this.peakConnections = Math.max(this.peakConnections, this.#present.size);
      new Session(this, socket, this.connections).greet();
    });
  }

  static async start(script: Script = {}, port = 0, host = "127.0.0.1"): Promise<NextHop> {
    const hop = new NextHop(script);
    hop.#server.listen(port, host);
    await once(hop.#server, "listening");
    return hop;
  }

  get address(): { readonly host: string; readonly port: number } {
    const { address, port } = this.#server.address() as AddressInfo;
    return { host: address, port };
  }

  attempt(address: string): number {
    const attempt = (this.#attempts.get(address) ?? 0) + 1;
    this.#attempts.set(address, attempt);
    return attempt;
  }

  leaves(socket: Socket): void {
    this.#present.delete(socket);
  }

  record(mail: ReceivedMail): void {
    this.mails.push(mail);
    for (const wake of this.#waiting) wake();
  }

  /** Resolves when the condition holds, asked at each mail that arrives; rejects at the deadline. */
  async waitUntil(what: string, holds: () => boolean, deadlineMs = 30_000): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const check = (): void => {
      if (holds()) resolve();
    };
    this.#waiting.add(check);
    const timer = setTimeout(
      () => reject(new Error(`next hop: no ${what} within ${deadlineMs} ms; ${this.mails.length} mails`)),
      deadlineMs,
    );
    check();
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(check);
    }
  }

  async waitForMails(count: number, deadlineMs = 30_000): Promise<void> {
    await this.waitUntil(`${count} mails`, () => this.mails.length >= count, deadlineMs);
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** One connection. State is what RFC 5321 section 4.1.4 says: greeted, in a transaction, in data. */
class Session {
  #socket: Socket;
  #secure = false;
  #chunks: Buffer[] = [];
  #inData = false;
  #sender = "";
  #recipients: string[] = [];
  #commands: string[] = [];
  readonly #hop: NextHop;
  readonly #number: number;
  /** Of ours: the one that was dialed. */
  readonly #address: string;

  constructor(hop: NextHop, socket: Socket, number: number) {
    this.#hop = hop;
    this.#socket = socket;
    this.#address = socket.localAddress ?? "";
    this.#number = number;
    this.#attach(socket);
  }

  greet(): void {
    const { greeting } = this.#hop.script;
    const said = typeof greeting === "function" ? greeting(this.#address) : greeting;
    if (said !== "silence") this.#say(said ?? "220 sink.example.org ESMTP");
  }

  #attach(socket: Socket): void {
    socket.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      if (!this.#inData || mayEndData(this.#chunks)) this.#work();
    });
    socket.on("error", () => socket.destroy());
  }

  #say(line: string): void {
    const delayMs = this.#hop.script.delayMs?.(this.#address) ?? 0;
    if (delayMs > 0) setTimeout(() => this.#sayNow(line), delayMs);
    else this.#sayNow(line);
  }

  #sayNow(line: string): void {
    if (line === "drop") this.#socket.destroy();
    else if (this.#socket.writable) this.#socket.write(`${line}\r\n`);
  }

  #work(): void {
    let pending = Buffer.concat(this.#chunks);
    for (;;) {
      const mark = this.#inData ? "\r\n.\r\n" : "\r\n";
      const atStart = this.#inData && pending.subarray(0, 3).equals(Buffer.from(".\r\n"));
      const end = atStart ? -2 : pending.indexOf(mark);
      if (end === -1) break;
      const unit = pending.subarray(0, Math.max(0, end + (this.#inData ? 2 : 0)));
      pending = pending.subarray(end + mark.length);
      if (this.#inData) this.#finish(Buffer.from(unit));
      else this.#command(unit.toString("utf8"));
      if (this.#socket.destroyed) return;
    }
    this.#chunks = pending.length === 0 ? [] : [pending];
  }

  #command(line: string): void {
    const verb = line.slice(0, 4).toUpperCase();
    switch (verb) {
      case "EHLO":
        this.#ehlo();
        return;
      case "STAR":
        this.#startTls();
        return;
      case "MAIL":
        this.#sender = pathOf(line);
        this.#recipients = [];
        this.#commands = [line];
        this.#say("250 2.1.0 ok");
        return;
      case "RCPT":
        this.#recipient(line);
        return;
      case "AUTH":
        this.#say(this.#hop.script.login?.(line) ?? "502 5.5.1 no");
        return;
      case "DATA":
        this.#data();
        return;
      case "QUIT":
        this.#hop.leaves(this.#socket);
        this.#say("221 2.0.0 bye");
        this.#socket.end();
        return;
      default:
        this.#say("250 2.0.0 ok");
    }
  }

  #ehlo(): void {
    const { extensions = defaultExtensions, tls } = this.#hop.script;
    const all = ["sink.example.org", ...extensions, ...(tls !== undefined && !this.#secure ? ["STARTTLS"] : [])];
    this.#say(all.map((line, index) => `250${index === all.length - 1 ? " " : "-"}${line}`).join("\r\n"));
  }

  #startTls(): void {
    const { tls } = this.#hop.script;
    if (tls === undefined) {
      this.#say("502 5.5.1 no");
      return;
    }
    this.#say("220 2.0.0 go ahead");
    this.#socket.removeAllListeners("data");
    this.#chunks = [];
    const secureContext = createSecureContext({ cert: tls.certificate, key: tls.privateKey });
    this.#socket = new TLSSocket(this.#socket, { isServer: true, secureContext });
    this.#secure = true;
    this.#attach(this.#socket);
  }

  #recipient(line: string): void {
    const address = pathOf(line);
    const verdict = this.#hop.script.recipient?.(address, this.#hop.attempt(address));
    this.#hop.recipientCommands.push({ address, at: Date.now(), reply: verdict ?? "250 2.1.5 ok" });
    if (verdict === undefined) {
      this.#recipients.push(address);
      this.#commands.push(line);
    }
    this.#say(verdict ?? "250 2.1.5 ok");
  }

  #data(): void {
    if (this.#recipients.length === 0) {
      this.#say("503 5.5.1 no recipients");
      return;
    }
    this.#say("354 go ahead");
    if (this.#hop.script.dropInData?.(this.#sender, this.#recipients) === true) this.#socket.destroy();
    this.#inData = true;
  }

  #finish(stuffed: Buffer): void {
    this.#inData = false;
    const mail: ReceivedMail = {
      sender: this.#sender,
      commands: this.#commands,
      recipients: this.#recipients,
      message: unstuffed(stuffed),
      secure: this.#secure,
      at: Date.now(),
      connection: this.#number,
    };
    this.#recipients = [];
    const verdict = this.#hop.script.data?.(mail);
    if (verdict === undefined) this.#hop.record(mail);
    this.#say(verdict ?? "250 2.0.0 queued");
  }
}

/** A quoted local part may hold a bracket (RFC 5321 section 4.1.2). */
function pathOf(line: string): string {
  return /<((?:"(?:[^"\\]|\\.)*"|[^>"])*)>/.exec(line)?.[1] ?? "";
}

/** Looks only at what is new, so that a large message is not searched at each chunk. */
function mayEndData(chunks: readonly Buffer[]): boolean {
  const last = chunks.at(-1) ?? Buffer.alloc(0);
  const before = Buffer.concat(chunks.slice(-5, -1)).subarray(-4);
  const recent = Buffer.concat([before, last]);
  return recent.includes("\r\n.\r\n") || (chunks.length < 5 && recent.subarray(0, 3).toString("latin1") === ".\r\n");
}

/** RFC 5321 section 4.5.2. */
function unstuffed(message: Buffer): Buffer {
  const text = message.toString("latin1");
  const first = text.startsWith(".") ? text.slice(1) : text;
  return Buffer.from(first.replaceAll("\r\n.", "\r\n"), "latin1");
}
