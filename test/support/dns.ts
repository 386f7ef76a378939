/**
 * A name server that does what the test says, over real UDP and TCP packets: zones as a table, and every way to answer badly.
 * It recurses over its own table, as the servers that relays ask do.
 */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server, type Socket as TcpSocket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { decode, encode, type Answer, type Packet, type Question } from "dns-packet";

/** What stands at a name, or how the server misbehaves when it is asked for it. */
export interface ZoneEntry {
  readonly mx?: readonly (readonly [preference: number, exchange: string])[];
  readonly a?: readonly string[];
  readonly aaaa?: readonly string[];
  readonly cname?: string;
  readonly ttl?: number;
  /** Answers with this code instead. */
  readonly code?: keyof typeof codes;
  readonly delayMs?: number;
  readonly trick?: Trick;
}

export type Trick =
  /** No answer at all. */
  | "silent"
  /** UDP answers are cut and say so. */
  | "truncated"
  /** Octets that are no DNS packet, with the right id. */
  | "garbage"
  /** First an answer with a wrong id, one to another question, and then the true one. */
  | "forged"
  /** Records of other names beside the true ones. */
  | "poison"
  /** FORMERR with a bare header for whoever uses EDNS (RFC 6891 section 7). */
  | "no-edns"
  /** Aliases are not followed: the answer holds the CNAME alone. */
  | "lazy"
  /** "No" without the SOA that would allow keeping it. */
  | "no-soa";

export type Zone = Readonly<Record<string, ZoneEntry | ((query: Query) => ZoneEntry)>>;

export interface Query {
  readonly name: string;
  readonly type: string;
  readonly tcp: boolean;
  /** Counts from 1 for this name and type. */
  readonly count: number;
}

const codes = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const;
const truncatedFlag = 1 << 9;

export class TestDns {
  zone: Zone;
  readonly queries: Query[] = [];
  readonly #udp: Socket;
  readonly #tcp: Server;
  readonly #connections = new Set<TcpSocket>();

  private constructor(zone: Zone, udp: Socket) {
    this.zone = zone;
    this.#udp = udp;
    udp.on("message", (octets, from) => void this.#answerUdp(octets, from));
    this.#tcp = createServer((socket) => {
      this.#connections.add(socket);
      socket.on("close", () => this.#connections.delete(socket));
      socket.on("error", () => socket.destroy());
      socket.on("data", (chunk: Buffer) => void this.#answerTcp(socket, chunk));
    });
  }

  static async start(zone: Zone): Promise<TestDns> {
    for (;;) {
      const udp = createSocket("udp4");
      udp.bind(0, "127.0.0.1");
      await once(udp, "listening");
      const dns = new TestDns(zone, udp);
      try {
        dns.#tcp.listen(udp.address().port, "127.0.0.1");
        await once(dns.#tcp, "listening");
        return dns;
      } catch {
        // Somebody has this port for TCP: another one.
        udp.close();
      }
    }
  }

  /** As `delivery.dns.servers` spells it. */
  get server(): string {
    return `127.0.0.1:${this.#udp.address().port}`;
  }

  asked(name: string, type = "MX"): number {
    return this.queries.filter((query) => query.name === name && query.type === type).length;
  }

  async stop(): Promise<void> {
    this.#udp.close();
    for (const socket of this.#connections) socket.destroy();
    this.#tcp.close();
    await once(this.#tcp, "close");
  }

  async #answerUdp(octets: Buffer, from: RemoteInfo): Promise<void> {
    for (const answer of await this.#answers(octets, false)) {
      try {
        this.#udp.send(answer, from.port, from.address);
      } catch {
        // The test is over.
      }
    }
  }

  async #answerTcp(socket: TcpSocket, chunk: Buffer): Promise<void> {
    const answers = await this.#answers(chunk.subarray(2), true);
    const last = answers.at(-1);
    if (last === undefined || socket.destroyed) return;
    const length = Buffer.alloc(2);
    length.writeUInt16BE(last.length);
    // In two pieces: TCP promises no packets.
    socket.write(Buffer.concat([length, last.subarray(0, 7)]));
    await pause(1);
    socket.write(last.subarray(7));
  }

  async #answers(octets: Buffer, tcp: boolean): Promise<readonly Buffer[]> {
    const packet = decode(octets);
    const [question] = packet.questions ?? [];
    if (question === undefined) return [];
    const name = question.name.toLowerCase();
    const count = this.asked(name, question.type) + 1;
    const query: Query = { name, type: question.type, tcp, count };
    this.queries.push(query);
    const entry = this.#entryAt(name, query);
    if (entry?.delayMs !== undefined) await pause(entry.delayMs);
    const id = packet.id ?? 0;
    const hasEdns = (packet.additionals ?? []).some(({ type }) => type === "OPT");
    const truth = this.#truth({ id, question, query });
    switch (entry?.trick) {
      case "silent":
        return [];
      case "garbage":
        return [Buffer.concat([encode({ ...truth, answers: [] }).subarray(0, 6), Buffer.alloc(40, 0xff)])];
      case "no-edns":
        return [encode(hasEdns ? { type: "response", id, flags: codes.FORMERR } : truth)];
      case "truncated":
        return [encode(tcp ? truth : { ...truth, flags: truncatedFlag, answers: [] })];
      case "forged": {
        const lie = { ...truth, answers: [recordOf(question.name, "192.0.2.66")] };
        const other = { ...lie, questions: [{ ...question, name: "other.test" }] };
        return [encode({ ...lie, id: (id + 1) & 0xffff }), encode(other), encode(truth)];
      }
      case "poison": {
        const lies = [recordOf("victim.test", "192.0.2.66"), ...mailOf("victim.test", [[0, "evil.test"]], 3600)];
        return [encode({ ...truth, answers: [...lies, ...(truth.answers ?? [])], additionals: lies })];
      }
      case "lazy":
      case "no-soa":
      case undefined:
        return [encode(truth)];
    }
  }

  #entryAt(name: string, query: Query): ZoneEntry | undefined {
    const entry = this.zone[name];
    return typeof entry === "function" ? entry(query) : entry;
  }

  #truth({ id, question, query }: { id: number; question: Question; query: Query }): Packet {
    const answers: Answer[] = [];
    let name = query.name;
    let entry = this.#entryAt(name, query);
    const first = entry;
    while (entry?.cname !== undefined && answers.length < 20) {
      answers.push({ type: "CNAME", name, ttl: entry.ttl ?? 300, data: entry.cname });
      if (entry.trick === "lazy") return { type: "response", id, flags: 0, questions: [question], answers };
      name = entry.cname;
      entry = this.#entryAt(name, query);
    }
    const found = entry === undefined ? [] : recordsOf(name, entry, question.type);
    answers.push(...found);
    const code = first?.code ?? entry?.code ?? (entry === undefined ? "NXDOMAIN" : "NOERROR");
    const authorities = found.length > 0 || entry?.trick === "no-soa" ? [] : [startOfAuthority(entry?.ttl ?? 300)];
    return { type: "response", id, flags: codes[code], questions: [question], answers, authorities };
  }
}

function recordsOf(name: string, entry: ZoneEntry, type: string): Answer[] {
  const ttl = entry.ttl ?? 300;
  if (type === "MX") return mailOf(name, entry.mx ?? [], ttl);
  const addresses = type === "A" ? (entry.a ?? []) : type === "AAAA" ? (entry.aaaa ?? []) : [];
  return addresses.map((data) => ({ type: type === "A" ? "A" : "AAAA", name, ttl, data }));
}

function mailOf(name: string, mx: readonly (readonly [number, string])[], ttl: number): Answer[] {
  return mx.map(([preference, exchange]) => ({ type: "MX", name, ttl, data: { preference, exchange } }));
}

function recordOf(name: string, data: string): Answer {
  return { type: "A", name, ttl: 3600, data };
}

function startOfAuthority(ttl: number): Answer {
  const data = { mname: "ns.test", rname: "host.test", serial: 1, refresh: 1, retry: 1, expire: 1, minimum: ttl };
  return { type: "SOA", name: "test", ttl, data };
}
