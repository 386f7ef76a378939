/**
 * DNS packets to values and back: the only importer of dns-packet. What a server sends is believed only as far as it
 * answers our question; records for other names are passed over, whoever put them there.
 */
import { decode, encode, RECURSION_DESIRED, type Answer as PacketRecord, type DecodedPacket } from "dns-packet";
import { isHostName, plainName, type Answer, type MailExchanger, type Question } from "./answer.ts";

/** The DNS flag day's advice of 2020: large enough for mail, small enough not to be fragmented. */
export const udpPayloadBytes = 1232;
/** More than anybody has; a bound on what a liar can make us keep. */
const recordLimit = 64;
const aliasLimit = 8;

export type Reading =
  | { readonly kind: "answer"; readonly answer: Answer }
  /** The name is an alias and the server did not say what stands behind it (RFC 1034 section 3.6.2). */
  | { readonly kind: "alias"; readonly target: string; readonly ttlSeconds: number }
  /** Not an answer to our question: another one's, late or forged. It is as if nothing had come. */
  | { readonly kind: "foreign" }
  /** Too large for UDP: ask by TCP (RFC 7766 section 5). */
  | { readonly kind: "truncated" }
  /** RFC 6891 section 7: the server does not know EDNS; ask without. */
  | { readonly kind: "no-edns" }
  | { readonly kind: "failed"; readonly detail: string };

export interface Asked {
  readonly question: Question;
  readonly id: number;
  readonly edns: boolean;
}

export function queryPacket({ question, id, edns }: Asked): Buffer {
  return encode({
    type: "query",
    id,
    flags: RECURSION_DESIRED,
    questions: [{ name: question.name, type: question.type, class: "IN" }],
    additionals: edns
      ? [
          {
            type: "OPT",
            name: ".",
            udpPayloadSize: udpPayloadBytes,
            extendedRcode: 0,
            ednsVersion: 0,
            flags: 0,
            flag_do: false,
            options: [],
          },
        ]
      : [],
  });
}

/** Never throws: octets that are no packet are a failure of the server that sent them. */
export function readPacket(octets: Buffer, asked: Asked): Reading {
  // RFC 1035 section 4.1.1: id, then flags with QR first and TC in bit 9.
  if (octets.length < 12 || octets.readUInt16BE(0) !== asked.id || (octets.readUInt16BE(2) & 0x8000) === 0)
    return { kind: "foreign" };
  // Read before the rest, which may be cut in the middle of a record.
  const isTruncated = (octets.readUInt16BE(2) & 0x0200) !== 0;
  if (isTruncated) return { kind: "truncated" };
  let packet: DecodedPacket;
  try {
    packet = decode(octets);
  } catch (error) {
    return { kind: "failed", detail: `malformed answer (${error instanceof Error ? error.message : String(error)})` };
  }
  return readAnswer(packet, asked, codeOf(octets));
}

/** RFC 1035 section 4.1.1; RFC 6895 has the others, which all mean that there is no answer here. */
const codes = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];

function codeOf(octets: Buffer): string {
  const number = octets.readUInt16BE(2) & 0x000f;
  return codes[number] ?? `RCODE ${number}`;
}

function readAnswer(packet: DecodedPacket, { question, edns }: Asked, code: string): Reading {
  const [asked] = packet.questions ?? [];
  const isOurs = asked !== undefined && plainName(asked.name) === question.name && asked.type === question.type;
  // RFC 6891 section 7: a server without EDNS may answer FORMERR with nothing but a header.
  if (edns && (code === "FORMERR" || code === "NOTIMP") && (isOurs || asked === undefined)) return { kind: "no-edns" };
  if (!isOurs) return { kind: "foreign" };
  if (code !== "NOERROR" && code !== "NXDOMAIN") return { kind: "failed", detail: code };
  return followed(packet, question, code === "NXDOMAIN");
}

/** From the question's name along the aliases in the packet to what stands at the end of them. */
function followed(packet: DecodedPacket, question: Question, isMissing: boolean): Reading {
  const records = packet.answers ?? [];
  const negativeTtl = ttlOfNo(packet.authorities ?? []);
  let { name } = question;
  let ttlSeconds = Number.POSITIVE_INFINITY;
  for (let aliases = 0; aliases <= aliasLimit; aliases += 1) {
    const own = records.filter((record) => plainName(record.name) === name);
    const found = own.filter((record) => record.type === question.type).slice(0, recordLimit);
    if (found.length > 0) {
      const ttl = Math.min(ttlSeconds, ...found.map(ttlOf));
      return { kind: "answer", answer: { kind: "records", ...valuesOf(found), ttlSeconds: ttl } };
    }
    const alias = own.find((record) => record.type === "CNAME");
    if (alias?.type !== "CNAME") return ended({ isMissing, question, name, ttlSeconds, negativeTtl });
    ttlSeconds = Math.min(ttlSeconds, ttlOf(alias));
    name = plainName(alias.data);
  }
  return { kind: "failed", detail: "aliases lead in a circle" };
}

interface End {
  /** NXDOMAIN. */
  readonly isMissing: boolean;
  readonly question: Question;
  /** Where the aliases ended. */
  readonly name: string;
  readonly ttlSeconds: number;
  readonly negativeTtl: number | undefined;
}

function ended({ isMissing, question, name, ttlSeconds, negativeTtl }: End): Reading {
  const ttl = Math.min(ttlSeconds, negativeTtl ?? 0);
  // RFC 6604 section 3: the code speaks of the last name of the chain.
  if (isMissing) return { kind: "answer", answer: { kind: "no-domain", ttlSeconds: ttl } };
  const isOpenEnd = name !== question.name && negativeTtl === undefined;
  if (!isOpenEnd) return { kind: "answer", answer: { kind: "no-data", ttlSeconds: ttl } };
  return isHostName(name)
    ? { kind: "alias", target: name, ttlSeconds }
    : { kind: "failed", detail: "an alias leads to no host name" };
}

function valuesOf(records: readonly PacketRecord[]): {
  readonly exchangers: readonly MailExchanger[];
  readonly addresses: readonly string[];
} {
  return {
    exchangers: records.flatMap((record) =>
      record.type === "MX"
        ? [{ preference: record.data.preference ?? 0, exchange: plainName(record.data.exchange) }]
        : [],
    ),
    addresses: records.flatMap((record) => (record.type === "A" || record.type === "AAAA" ? [record.data] : [])),
  };
}

/** RFC 2308 section 5: the lesser of the SOA's TTL and its minimum; without SOA "no" is not kept. */
function ttlOfNo(authorities: readonly PacketRecord[]): number | undefined {
  const soa = authorities.find((record) => record.type === "SOA");
  return soa?.type === "SOA" ? Math.min(ttlOf(soa), soa.data.minimum ?? 0) : undefined;
}

/** RFC 2181 section 8: a TTL with the top bit set counts as zero. */
function ttlOf(record: PacketRecord): number {
  const ttl = record.type === "OPT" ? 0 : (record.ttl ?? 0);
  return ttl > 0x7fff_ffff ? 0 : ttl;
}
