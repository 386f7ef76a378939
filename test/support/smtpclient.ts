/** A client that speaks raw SMTP: what a mail client would never send is what these tests are about. */
import { connect, type Socket } from "node:net";
import { connect as connectTls, TLSSocket, type ConnectionOptions } from "node:tls";
import type { ClientPair } from "./clientcertificates.ts";

export interface ClientWish {
  readonly implicitTls: boolean;
  /** One of this machine's addresses; the system chooses when absent. */
  readonly from?: string;
  /** Of the handshake. */
  readonly tls?: ConnectionOptions;
  /** Goes on reading after it has closed its own side, and leaves its side open when the server closes. */
  readonly halfOpen?: boolean;
  /** Shown in the TLS handshake. */
  readonly certificate?: ClientPair | undefined;
  /** The newest when absent. */
  readonly tlsVersion?: "TLSv1.2" | "TLSv1.3";
}

/** Writes bytes as they are and reads whole replies; multi-line replies keep their lines, joined by LF. */
export class SmtpClient {
  #socket: Socket | TLSSocket;
  #received = "";
  /** Times that something arrived. */
  packets = 0;
  #waiting: { resolve: (reply: string) => void; reject: (error: Error) => void }[] = [];
  readonly closed: Promise<void>;
  readonly #ended = Promise.withResolvers<void>();
  readonly #tls: ConnectionOptions;

  private constructor(socket: Socket, tls: ConnectionOptions) {
    this.#socket = socket;
    this.#tls = tls;
    this.closed = this.#ended.promise;
    this.#listen();
  }

  static async connect(port: number, wish: ClientWish): Promise<SmtpClient> {
    const { implicitTls, from, halfOpen = false, certificate, tlsVersion } = wish;
    const own = certificate === undefined ? {} : { cert: certificate.chain, key: certificate.privateKey };
    const version = tlsVersion === undefined ? {} : { minVersion: tlsVersion, maxVersion: tlsVersion };
    const tls = { rejectUnauthorized: false, ...own, ...version, ...wish.tls };
    const place = {
      port,
      host: "127.0.0.1",
      allowHalfOpen: halfOpen,
      ...(from === undefined ? {} : { localAddress: from }),
    };
    const socket = implicitTls ? connectTls({ ...place, ...tls }) : connect(place);
    const client = new SmtpClient(socket, tls);
    return Promise.resolve(client);
  }

  #listen(): void {
    const socket = this.#socket;
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => {
      this.packets += 1;
      this.#received += text;
      this.#deliver();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      if (socket !== this.#socket) return;
      this.#ended.resolve();
      for (const waiting of this.#waiting.splice(0)) waiting.reject(new Error("the server closed the connection"));
    });
  }

  #deliver(): void {
    for (;;) {
      const match = /^(?:\d{3}-.*\r\n)*\d{3}(?: .*)?\r\n/.exec(this.#received);
      const waiting = match === null ? undefined : this.#waiting.shift();
      if (match === null || waiting === undefined) return;
      this.#received = this.#received.slice(match[0].length);
      waiting.resolve(match[0].trimEnd().replaceAll("\r\n", "\n"));
    }
  }

  /** The next whole reply. */
  reply(): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.#waiting.push({ resolve, reject });
    this.#deliver();
    if (this.#socket.destroyed) for (const waiting of this.#waiting.splice(0)) waiting.reject(new Error("closed"));
    return promise;
  }

  write(bytes: string | Buffer): void {
    this.#socket.write(bytes);
  }

  /** One command line, one reply. */
  command(line: string): Promise<string> {
    const reply = this.reply();
    this.write(`${line}\r\n`);
    return reply;
  }

  async startTls(): Promise<string> {
    const reply = await this.command("STARTTLS");
    if (!reply.startsWith("220")) return reply;
    await this.upgrade();
    return reply;
  }

  /** The handshake alone. */
  async upgrade(): Promise<void> {
    const plain = this.#socket;
    plain.removeAllListeners("data");
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const secure = connectTls({ socket: plain, ...this.#tls }, resolve);
    secure.once("error", reject);
    this.#socket = secure;
    this.#listen();
    await promise;
  }

  /** Undefined in the clear. */
  get secure(): TLSSocket | undefined {
    return this.#socket instanceof TLSSocket ? this.#socket : undefined;
  }

  get fingerprint(): string {
    return "getPeerX509Certificate" in this.#socket
      ? (this.#socket.getPeerX509Certificate()?.fingerprint256 ?? "").replaceAll(":", "").toLowerCase()
      : "";
  }

  async login(username: string, secret = "correct horse"): Promise<string> {
    return this.command(`AUTH PLAIN ${Buffer.from(`\0${username}\0${secret}`).toString("base64")}`);
  }

  /** MAIL, RCPT and DATA; returns the last reply, or the first that is not positive. */
  async send(sender: string, recipients: readonly string[], message: string | Buffer): Promise<string> {
    const mail = await this.command(`MAIL FROM:<${sender}>`);
    if (!mail.startsWith("2")) return mail;
    for (const recipient of recipients) {
      const rcpt = await this.command(`RCPT TO:<${recipient}>`);
      if (!rcpt.startsWith("2")) return rcpt;
    }
    const data = await this.command("DATA");
    if (!data.startsWith("3")) return data;
    const reply = this.reply();
    this.write(message);
    this.write("\r\n.\r\n");
    return reply;
  }

  /** Closes this side only. */
  end(bytes: string | Buffer = ""): void {
    this.#socket.end(bytes);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Octets that nobody has taken yet. */
  get unsent(): number {
    return this.#socket.writableLength;
  }

  /** Gone for good, and the server is told so. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }
}
