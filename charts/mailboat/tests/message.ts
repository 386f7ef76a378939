/**
 * What `helm test` runs in a pod: is the server a relay delivers to, sends a message through that relay with STARTTLS and
 * AUTH, and waits until it arrives with a signature of the sender's domain. Needs nothing but Node.
 */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { createInterface, type Interface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { connect as connectTls } from "node:tls";

interface Reply {
  readonly code: number;
  readonly text: string;
}

/** Commands and their replies, RFC 5321 section 4.2. */
class Dialogue {
  #socket: Socket;
  #lines: AsyncIterator<string>;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#lines = linesOf(socket)[Symbol.asyncIterator]();
  }

  async secure(): Promise<void> {
    // The relay's own authority signed its certificate; that the session is encrypted is what is tested here.
    const secure = connectTls({ socket: this.#socket, rejectUnauthorized: false });
    await once(secure, "secureConnect");
    this.#socket = secure;
    this.#lines = linesOf(secure)[Symbol.asyncIterator]();
  }

  async reply(): Promise<Reply> {
    for (;;) {
      const next = await this.#lines.next();
      if (next.done === true) throw new Error("the relay closed the connection");
      const line = next.value;
      if (/^\d{3}(?: |$)/.test(line)) return { code: Number(line.slice(0, 3)), text: line };
    }
  }

  async say(line: string, expected: number): Promise<void> {
    this.#socket.write(`${line}\r\n`);
    const { code, text } = await this.reply();
    if (code !== expected) throw new Error(`after ${line.split(" ")[0]}: ${text}`);
  }

  end(): void {
    this.#socket.destroy();
  }
}

function linesOf(socket: Socket): Interface {
  socket.on("error", () => socket.destroy());
  return createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY });
}

interface Question {
  readonly host: string;
  readonly port: number;
  readonly domain: string;
  readonly username: string;
  readonly password: string;
  readonly subject: string;
}

async function send(question: Question): Promise<void> {
  const { host, port, domain, username, password, subject } = question;
  const socket = connect({ host, port });
  const dialogue = new Dialogue(socket);
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(5_000) });
    const greeting = await dialogue.reply();
    if (greeting.code !== 220) throw new Error(greeting.text);
    await dialogue.say("EHLO helm-test.invalid", 250);
    await dialogue.say("STARTTLS", 220);
    await dialogue.secure();
    await dialogue.say("EHLO helm-test.invalid", 250);
    await dialogue.say(`AUTH PLAIN ${Buffer.from(`\0${username}\0${password}`).toString("base64")}`, 235);
    await dialogue.say(`MAIL FROM:<sender@${domain}>`, 250);
    await dialogue.say(`RCPT TO:<recipient@${domain}>`, 250);
    await dialogue.say("DATA", 354);
    const fields = [`From: sender@${domain}`, `To: recipient@${domain}`, `Subject: ${subject}`];
    await dialogue.say(`${fields.join("\r\n")}\r\n\r\nSent by helm test.\r\n.`, 250);
  } finally {
    dialogue.end();
  }
}

/** Takes everything and shows each message as a whole. */
function receive(port: number, onMessage: (message: string) => void): void {
  const server = createServer((socket) => {
    let message: string[] | undefined;
    const say = (line: string): boolean => socket.write(`${line}\r\n`);
    say("220 helm-test.invalid");
    linesOf(socket).on("line", (line) => {
      if (message === undefined) {
        const verb = line.slice(0, 4).toUpperCase();
        if (verb === "DATA") message = [];
        say(verb === "DATA" ? "354 go on" : verb === "QUIT" ? "221 goodbye" : "250 ok");
      } else if (line === ".") {
        onMessage(message.join("\n"));
        message = undefined;
        say("250 taken");
      } else message.push(line);
    });
  });
  server.listen(port);
}

async function main(environment: Readonly<Record<string, string | undefined>>): Promise<number> {
  const { RELAY_HOST: host = "", DOMAIN: domain = "", USERNAME: username = "", PASSWORD: password = "" } = environment;
  const subject = `helm test ${Date.now()}`;
  const arrived = Promise.withResolvers<string>();
  receive(Number(environment["SINK_PORT"]), (message) => {
    if (message.includes(`Subject: ${subject}`)) arrived.resolve(message);
  });
  const deadline = Date.now() + Number(environment["DEADLINE_SECONDS"] ?? "240") * 1_000;
  for (let last = ""; ;) {
    try {
      await send({ host, port: Number(environment["RELAY_PORT"]), domain, username, password, subject });
      break;
    } catch (error) {
      const text = String(error);
      if (text !== last) process.stdout.write(`the relay does not take the message yet: ${text}\n`);
      last = text;
      if (Date.now() > deadline) {
        process.stdout.write(
          "giving up: `kubectl describe mailrelays,senderdomains` here, and the operator's log, say more\n",
        );
        return 1;
      }
      await pause(2_000);
    }
  }
  process.stdout.write(`accepted by ${host}\n`);
  const late = pause(Math.max(10_000, deadline - Date.now())).then(() => undefined);
  const message = await Promise.race([arrived.promise, late]);
  if (message === undefined) {
    process.stdout.write("accepted and not delivered in time: see the log of the relay's pod\n");
    return 1;
  }
  const isSigned = new RegExp(`^DKIM-Signature:[^]*?\\bd=${domain.replaceAll(".", "\\.")}`, "m").test(message);
  process.stdout.write(isSigned ? "delivered with a signature\n" : `delivered without a signature:\n${message}\n`);
  return isSigned ? 0 : 1;
}

// Servers and sockets that are still open need not hold the pod up.
if (import.meta.main) process.exit(await main(process.env));
