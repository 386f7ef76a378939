/**
 * What was said while a session was opened, as the library's log of the transaction tells it (its option `transactionLog`):
 * where the dialogue stands, and what the answer to EHLO offers. Pure. Passwords are not in that log.
 */
import type { Phase } from "../../mail/hostanswer.ts";
import { parseReply, type Reply } from "../../mail/reply.ts";

/** What a hop can do, by its own words. */
export interface HopOffers {
  /** False when EHLO was refused: then nobody knows what the hop can do. */
  readonly isKnown: boolean;
  /** Keywords in upper case, with their parameters. */
  readonly keywords: ReadonlyMap<string, string>;
}

interface Exchange {
  readonly command: string;
  reply?: string;
}

const unknown: HopOffers = { isKnown: false, keywords: new Map() };

export class Transcript {
  readonly #exchanges: Exchange[] = [];
  #isGreeted = false;

  /** `side` is the library's word for who spoke; other entries of its log are not for us. */
  note(side: string | undefined, text: string): void {
    if (side === "client") this.#exchanges.push({ command: text });
    if (side !== "server") return;
    const last = this.#exchanges.at(-1);
    if (last === undefined) this.#isGreeted = text.startsWith("220");
    else last.reply = text;
  }

  /** Of a session that is connected. */
  get phase(): Phase {
    if (!this.#isGreeted) return "greeting";
    const verb = verbOf(this.#exchanges.at(-1));
    if (verb === "STARTTLS") return "tls";
    return verb === undefined || verb === "EHLO" || verb === "HELO" ? "ehlo" : "auth";
  }

  /** STARTTLS was taken, and nothing was said since. */
  get isShakingHands(): boolean {
    const last = this.#exchanges.at(-1);
    return verbOf(last) === "STARTTLS" && last?.reply?.startsWith("2") === true;
  }

  /** What a server said that closes now, whatever it was asked. */
  get farewell(): Reply | undefined {
    const last = parseReply(this.#exchanges.at(-1)?.reply ?? "");
    return last?.code === 421 ? last : undefined;
  }

  /** By any answer to EHLO, before TLS too. */
  get wasTlsOffered(): boolean {
    return this.#exchanges.some((exchange) => isAnswered(exchange) && offersIn(exchange.reply ?? "").has("STARTTLS"));
  }

  /** By the last answer: what was said before TLS counts no more (RFC 3207 section 4.2). */
  get offers(): HopOffers {
    const hello = this.#exchanges.findLast((exchange) => /^(?:EHLO|HELO)$/.test(verbOf(exchange) ?? ""));
    return hello !== undefined && isAnswered(hello)
      ? { isKnown: true, keywords: offersIn(hello.reply ?? "") }
      : unknown;
  }
}

function verbOf(exchange: Exchange | undefined): string | undefined {
  return exchange === undefined ? undefined : /^[A-Z]*/i.exec(exchange.command)?.[0].toUpperCase();
}

function isAnswered(exchange: Exchange): boolean {
  return verbOf(exchange) === "EHLO" && exchange.reply?.startsWith("2") === true;
}

/**
 * RFC 5321 section 4.1.1.1: the first line greets, each one after it begins with a keyword. `AUTH=` is how it was written
 * before there was a standard.
 */
function offersIn(reply: string): ReadonlyMap<string, string> {
  const offers = new Map<string, string>();
  for (const line of reply.split(/\r?\n/).slice(1)) {
    const [, keyword, parameters = ""] = /^\d{3}[ -]\s*([a-z0-9][a-z0-9-]*)(?:[ =](.*))?$/i.exec(line.trimEnd()) ?? [];
    if (keyword !== undefined) offers.set(keyword.toUpperCase(), parameters);
  }
  return offers;
}
