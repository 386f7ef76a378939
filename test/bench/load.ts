/**
 * The load: a program of its own, so that its time is not the relay's. Sends messages over parallel connections, the
 * envelope and DATA pipelined (RFC 2920), and prints one JSON line with how long each message took to be accepted.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface, type Interface } from "node:readline";

export interface LoadPlan {
  readonly port: number;
  readonly messages: number;
  readonly connections: number;
  readonly messagesPerConnection: number;
  readonly sizeBytes: number;
  readonly domain: string;
}

export interface LoadResult {
  readonly seconds: number;
  readonly acceptP50Ms: number;
  readonly acceptP99Ms: number;
}

class Client {
  readonly #socket: Socket;
  readonly #lines: AsyncIterator<string>;

  constructor(socket: Socket, lines: Interface) {
    this.#socket = socket;
    this.#lines = lines[Symbol.asyncIterator]();
  }

  send(text: string): void {
    this.#socket.write(text);
  }

  /** Reads one whole reply; throws unless it has the class that is expected. */
  async expect(codeClass: string): Promise<void> {
    for (;;) {
      const next = await this.#lines.next();
      if (next.done === true) throw new Error("the relay closed the connection");
      if (!next.value.startsWith(codeClass)) throw new Error(`unexpected reply: ${next.value}`);
      if (next.value[3] !== "-") return;
    }
  }

  end(): void {
    this.#socket.end("QUIT\r\n");
  }
}

async function open(port: number): Promise<Client> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  const client = new Client(socket, createInterface({ input: socket, crlfDelay: Infinity }));
  await client.expect("2");
  client.send("EHLO load.example\r\n");
  await client.expect("2");
  return client;
}

function messageOf(plan: LoadPlan, serial: number): string {
  const line = `${"The quick brown fox jumps over the lazy dog. ".repeat(2).slice(0, 76)}\r\n`;
  const header = [
    `From: App <app@${plan.domain}>`,
    "To: Customer <customer@example.net>",
    `Subject: receipt ${serial}`,
    `Date: ${new Date().toUTCString().replace("GMT", "+0000")}`,
    `Message-ID: <${serial}.${process.pid}@${plan.domain}>`,
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=us-ascii",
  ].join("\r\n");
  const lines = Math.ceil((plan.sizeBytes - header.length) / line.length);
  return `${header}\r\n\r\n${line.repeat(lines)}.\r\n`;
}

async function session(plan: LoadPlan, serials: readonly number[], times: number[]): Promise<void> {
  const client = await open(plan.port);
  for (const serial of serials) {
    const started = performance.now();
    client.send(`MAIL FROM:<app@${plan.domain}>\r\nRCPT TO:<customer@example.net>\r\nDATA\r\n`);
    await client.expect("2");
    await client.expect("2");
    await client.expect("3");
    client.send(messageOf(plan, serial));
    await client.expect("2");
    times.push(performance.now() - started);
  }
  client.end();
}

async function worker(plan: LoadPlan, next: () => number | undefined, times: number[]): Promise<void> {
  for (;;) {
    const serials: number[] = [];
    while (serials.length < plan.messagesPerConnection) {
      const serial = next();
      if (serial === undefined) break;
      serials.push(serial);
    }
    if (serials.length === 0) return;
    await session(plan, serials, times);
  }
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

async function run(plan: LoadPlan): Promise<LoadResult> {
  let serial = 0;
  const next = (): number | undefined => (serial < plan.messages ? (serial += 1) : undefined);
  const times: number[] = [];
  const started = performance.now();
  await Promise.all(Array.from({ length: plan.connections }, async () => worker(plan, next, times)));
  const seconds = (performance.now() - started) / 1000;
  const sorted = times.toSorted((a, b) => a - b);
  return { seconds, acceptP50Ms: quantile(sorted, 0.5), acceptP99Ms: quantile(sorted, 0.99) };
}

if (import.meta.main) {
  // The bench that starts this program wrote it.
  const plan = JSON.parse(process.argv[2] ?? "{}") as LoadPlan;
  process.stdout.write(`${JSON.stringify(await run(plan))}\n`);
}
