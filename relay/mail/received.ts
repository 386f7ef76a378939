/**
 * The trace field (RFC 5321 section 4.4) that every accepted message gets on top, and the date form of RFC 5322.
 *
 * What the client typed is cut down to characters that cannot end a line, a comment or the field. There is no `for`: it
 * would show one recipient's address to whoever reads the message.
 */

/** What the clauses of the field say (RFC 5321 section 4.4). */
export interface ReceivedClauses {
  /** What the client called itself. */
  readonly helo: string;
  readonly clientAddress: string;
  /** Our own host name. */
  readonly by: string;
  readonly extended: boolean;
  readonly secure: boolean;
  readonly authenticated: boolean;
  readonly smtpUtf8: boolean;
  /** Such as `TLSv1.3 TLS_AES_256_GCM_SHA384`. */
  readonly cipher?: string;
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

const heloOctets = 255;

/** The whole field with its line ends. */
export function renderReceived(reception: ReceivedClauses): string {
  const helo = reception.helo.slice(0, heloOctets).replace(/[^A-Za-z0-9.:[\]_-]/g, "?");
  const address = reception.clientAddress.replace(/[^0-9A-Fa-f.:]/g, "");
  const literal = address.includes(":") ? `[IPv6:${address}]` : `[${address}]`;
  const cipher = reception.cipher === undefined ? "" : `\r\n\t(${reception.cipher.replace(/[^A-Za-z0-9._ -]/g, "")})`;
  return (
    `Received: from ${helo === "" ? "unknown" : helo} (${literal})\r\n` +
    `\tby ${reception.by} with ${protocolOf(reception)} id ${reception.id}${cipher};\r\n` +
    `\t${formatDate(reception.at)}\r\n`
  );
}

/** The `with` keyword: RFC 3848 section 1, RFC 6531 section 4.3. */
function protocolOf(reception: ReceivedClauses): string {
  if (!reception.extended) return "SMTP";
  const stem = reception.smtpUtf8 ? "UTF8SMTP" : "ESMTP";
  return `${stem}${reception.secure ? "S" : ""}${reception.authenticated ? "A" : ""}`;
}

/** RFC 5322 section 3.3, always in UTC. */
export function formatDate(at: number): string {
  return new Date(at).toUTCString().replace("GMT", "+0000");
}

/** The host after `by` of a Received field's value, lower case; undefined when there is none. */
export function receivedBy(value: string): string | undefined {
  return /(?:^|[\s)])by\s+([^\s;()]+)/i.exec(value)?.[1]?.toLowerCase();
}
