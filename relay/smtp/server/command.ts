/**
 * MAIL and RCPT as values (RFC 5321 section 4.1.1.2 and 4.1.1.3, with SIZE, 8BITMIME, SMTPUTF8, DSN and AUTH=).
 *
 * Pure. Whatever cannot be read is a refusal that says which part is wrong; nothing is guessed and nothing is skipped.
 */
import { parseAddress, type Address } from "../../mail/address.ts";
import type { EnvelopeRecipient, NotifyKeyword } from "../../mail/envelope.ts";
import { envidOctets, orcptOctets } from "../../mail/limit.ts";
import { refusal, type Refusal } from "../../mail/reply.ts";

export interface MailCommand {
  readonly kind: "mail";
  /** undefined is the null reverse-path (RFC 5321 section 4.5.5). */
  readonly sender: Address | undefined;
  readonly sizeBytes: number | undefined;
  readonly body: "7BIT" | "8BITMIME";
  readonly smtpUtf8: boolean;
  readonly ret?: "FULL" | "HDRS";
  readonly envid?: string;
}

export interface RcptCommand {
  readonly kind: "rcpt";
  readonly recipient: EnvelopeRecipient;
}

type Parameters = ReadonlyMap<string, string | undefined>;

interface PathCommand {
  readonly path: string;
  readonly parameters: Parameters;
}

const mailParameters = new Set(["SIZE", "BODY", "SMTPUTF8", "RET", "ENVID", "AUTH"]);
const rcptParameters = new Set(["NOTIFY", "ORCPT"]);
const notifyKeywords: readonly NotifyKeyword[] = ["SUCCESS", "FAILURE", "DELAY"];
/** RFC 5321 appendix C: a source route is accepted and ignored. */
const sourceRoute = /^@[^\s,:@]+(?:,@[^\s,:@]+)*:/;

/** RFC 6531 section 3.5: what answers a non-ASCII address whose client did not ask for SMTPUTF8. */
const needsSmtpUtf8 = refusal(553, "5.6.7", "A non-ASCII address needs the SMTPUTF8 parameter of MAIL");

const heloOctets = 300;

/**
 * The name of a HELO or EHLO line in lower case. Its form is not judged: real clients send worse than the grammar allows, such
 * as the name of a computer with spaces in it.
 */
export function parseHelo(line: Buffer): string | undefined {
  const name = /^\S+ +(.+)$/.exec(line.toString("latin1").trim())?.[1];
  return name === undefined || name.length > heloOctets ? undefined : name.toLowerCase();
}

export function parseMail(line: Buffer): MailCommand | Refusal {
  const command = parsePathCommand(line, { opening: /^MAIL FROM:[ \t]*/i, known: mailParameters, enhanced: "5.1.7" });
  if ("kind" in command) return command;
  const { path, parameters } = command;
  const sender = path === "" ? undefined : parseAddress(path);
  if (path !== "" && sender === undefined) return refusal(501, "5.1.7", "The sender address is malformed");
  const smtpUtf8 = parameters.has("SMTPUTF8");
  if (sender !== undefined && !sender.ascii && !smtpUtf8) return needsSmtpUtf8;
  const wrong = wrongMailParameter(parameters);
  if (wrong !== undefined) return refusal(501, "5.5.4", wrong);
  const size = parameters.get("SIZE");
  const ret = parameters.get("RET")?.toUpperCase();
  const envid = parameters.has("ENVID") ? readXtext(parameters.get("ENVID"), envidOctets) : undefined;
  return {
    kind: "mail",
    sender,
    sizeBytes: size === undefined ? undefined : Number(size),
    body: parameters.get("BODY")?.toUpperCase() === "8BITMIME" ? "8BITMIME" : "7BIT",
    smtpUtf8,
    ...(ret === "FULL" || ret === "HDRS" ? { ret } : {}),
    ...(envid === undefined ? {} : { envid }),
  };
}

function wrongMailParameter(parameters: Parameters): string | undefined {
  const value = (name: string): string => parameters.get(name) ?? "";
  // RFC 1870 section 4: 1 to 20 digits.
  if (parameters.has("SIZE") && !/^\d{1,20}$/.test(value("SIZE"))) return "SIZE needs a number of octets";
  if (parameters.has("BODY") && !/^(?:7BIT|8BITMIME)$/i.test(value("BODY"))) return "BODY is 7BIT or 8BITMIME";
  if (parameters.get("SMTPUTF8") !== undefined) return "SMTPUTF8 takes no value";
  if (parameters.has("RET") && !/^(?:FULL|HDRS)$/i.test(value("RET"))) return "RET is FULL or HDRS";
  if (parameters.has("ENVID") && readXtext(value("ENVID"), envidOctets) === undefined) {
    return "ENVID is xtext of at most 100 octets";
  }
  // RFC 4954 section 5: taken and ignored, as its value is not trusted.
  if (parameters.has("AUTH") && value("AUTH") === "") return "AUTH needs a value";
  return undefined;
}

export interface RcptSession {
  /** MAIL had the parameter SMTPUTF8. */
  readonly smtpUtf8: boolean;
  /** The relay's own name: its postmaster is meant by who names no domain. */
  readonly hostname: string;
}

export function parseRcpt(line: Buffer, { smtpUtf8, hostname }: RcptSession): RcptCommand | Refusal {
  const command = parsePathCommand(line, { opening: /^RCPT TO:[ \t]*/i, known: rcptParameters, enhanced: "5.1.3" });
  if ("kind" in command) return command;
  // RFC 5321 section 4.5.1: the one name that needs no domain, in any letter case.
  const isPostmaster = command.path.toLowerCase() === "postmaster";
  const recipient = parseAddress(isPostmaster ? `${command.path}@${hostname}` : command.path);
  if (recipient === undefined) return refusal(501, "5.1.3", "The recipient address is malformed or has no domain");
  if (!recipient.ascii && !smtpUtf8) return needsSmtpUtf8;
  const notify = command.parameters.has("NOTIFY") ? readNotify(command.parameters.get("NOTIFY")) : undefined;
  if (command.parameters.has("NOTIFY") && notify === undefined) {
    return refusal(501, "5.5.4", "NOTIFY is NEVER, or a list of SUCCESS, FAILURE and DELAY");
  }
  const orcpt = command.parameters.has("ORCPT") ? readOrcpt(command.parameters.get("ORCPT"), smtpUtf8) : undefined;
  if (command.parameters.has("ORCPT") && orcpt === undefined) {
    return refusal(501, "5.5.4", "ORCPT is an address type, a semicolon and xtext");
  }
  return {
    kind: "rcpt",
    recipient: {
      address: recipient.address,
      ...(notify === undefined ? {} : { notify }),
      ...(orcpt === undefined ? {} : { orcpt }),
    },
  };
}

/** RFC 5321 section 4.1.1.4 and 3.3. */
export function refuseData(line: Buffer, recipients: number): Refusal | undefined {
  if (line.toString("latin1").trim().length > "DATA".length) return refusal(501, "5.5.4", "DATA takes no parameters");
  return recipients === 0 ? refusal(503, "5.5.1", "Need MAIL and RCPT commands first") : undefined;
}

/** RFC 3461 section 4.1. */
function readNotify(value: string | undefined): readonly NotifyKeyword[] | undefined {
  const words = (value ?? "").toUpperCase().split(",");
  if (words.length === 1 && words[0] === "NEVER") return ["NEVER"];
  const keywords = notifyKeywords.filter((keyword) => words.includes(keyword));
  return keywords.length === words.length ? keywords : undefined;
}

/** RFC 3461 section 4.2; RFC 6533 section 3: the type utf-8 may hold UTF-8 itself in a transaction with SMTPUTF8. */
function readOrcpt(value: string | undefined, smtpUtf8: boolean): string | undefined {
  const [, type = "", address = ""] = /^([A-Za-z0-9-]+);(.+)$/s.exec(value ?? "") ?? [];
  const unitext = smtpUtf8 && type.toLowerCase() === "utf-8";
  if (unitext && /[\p{Cc}\p{Cs}\ufffd]/u.test(address)) return undefined;
  const ascii = readXtext(unitext ? address.replace(/[^\0-\x7f]/gu, "u") : address, orcptOctets);
  if (ascii === undefined || type === "") return undefined;
  const encoded = `${type};${unitext ? withEncodedPlus(address) : ascii}`;
  return Buffer.byteLength(encoded) > orcptOctets + type.length + 1 ? undefined : encoded;
}

/**
 * RFC 3461 section 4: printable, and what is encoded is printable too, so that no line end hides in a notice. A plus sign that
 * encodes nothing stands for itself, because many clients copy an address here as it is; it goes on encoded.
 */
function readXtext(value: string | undefined, octets: number): string | undefined {
  const encoded = withEncodedPlus(value ?? "");
  const isWhole = encoded !== "" && encoded.length <= octets && /^(?:[!-*,-<>-~]|\+[2-7][0-9A-F])*$/.test(encoded);
  return isWhole && !encoded.includes("+7F") ? encoded : undefined;
}

/** What looks like an encoded line end, NUL or other such octet stays as it is, to be refused. */
function withEncodedPlus(value: string): string {
  return value.replace(/\+(?![02-7][0-9A-F])/g, "+2B");
}

const barePath = "The address must stand in angle brackets";
/** What is between the brackets is looked at only as far as to find their end. */
const brokenPath = "A space, quote or bracket between the angle brackets, write <name@domain>";

interface PathSyntax {
  readonly opening: RegExp;
  readonly known: ReadonlySet<string>;
  readonly enhanced: string;
}

function parsePathCommand(line: Buffer, syntax: PathSyntax): PathCommand | Refusal {
  const text = line.toString("utf8");
  const opening = syntax.opening.exec(text)?.[0];
  if (opening === undefined) return refusal(501, "5.5.2", "Syntax: MAIL FROM:<address> or RCPT TO:<address>");
  const rest = text.slice(opening.length);
  const end = pathEnd(rest);
  if (end === undefined) return refusal(501, syntax.enhanced, rest.startsWith("<") ? brokenPath : barePath);
  const parameters = parseParameters(rest.slice(end), syntax.known);
  if (!(parameters instanceof Map)) return parameters;
  const path = rest.startsWith("<") ? rest.slice(1, end - 1) : rest.slice(0, end);
  return { path: path.replace(sourceRoute, ""), parameters };
}

/**
 * Position after the path. A quoted local part may hold brackets and spaces itself (RFC 5321 section 4.1.2). An address that was
 * written without brackets ends at a space; nothing at all is no path, as it might be meant for `<>`.
 */
function pathEnd(text: string): number | undefined {
  const bracketed = text.startsWith("<");
  let quoted = false;
  for (let at = bracketed ? 1 : 0; at < text.length; at += 1) {
    const character = text[at];
    if (quoted && character === "\\") at += 1;
    else if (character === '"') quoted = !quoted;
    else if (!quoted && character === ">") return bracketed ? at + 1 : undefined;
    else if (!quoted && character === "<") return undefined;
    else if (!quoted && character === " ") return bracketed || at === 0 ? undefined : at;
  }
  return bracketed || quoted || text === "" ? undefined : text.length;
}

/** RFC 5321 section 4.1.1.11: an unknown parameter is 555; one given twice is a mistake (RFC 3461 section 4). */
function parseParameters(text: string, known: ReadonlySet<string>): Map<string, string | undefined> | Refusal {
  const parameters = new Map<string, string | undefined>();
  if (text !== "" && !text.startsWith(" ")) return refusal(501, "5.5.4", "A space must follow the address");
  for (const word of text.split(" ")) {
    if (word === "") continue;
    const match = /^([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\s=\p{Cc}]+))?$/u.exec(word);
    const name = match?.[1]?.toUpperCase();
    if (name === undefined) return refusal(501, "5.5.4", "A parameter is malformed");
    if (!known.has(name)) return refusal(555, "5.5.4", `Parameter ${name} is not recognized`);
    if (parameters.has(name)) return refusal(501, "5.5.4", `Parameter ${name} is given twice`);
    parameters.set(name, match?.[2]);
  }
  return parameters;
}
