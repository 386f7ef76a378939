/**
 * What was said while a session was opened, as the library's log of the transaction tells it (its option `transactionLog`):
 * where the dialogue stands, and what the answer to EHLO offers. Pure. Passwords are not in that log.
 */
import type { Phase } from "../../mail/hostanswer.ts";
import { parseReply, type Reply } from "../../mail/reply.ts";

/** What a hop can do, by its own words. */
export interface Extensions {
  /** False when EHLO was refused: then nobody knows what the hop can do. */
  readonly isKnown: boolean;
  /** Keywords in upper case, with their parameters. */
  readonly keywords: ReadonlyMap<string, string>;
}

interface CommandReply {
  readonly command: string;
  reply?: string;
}

const unknown: Extensions = { isKnown: false, keywords: new Map() };

export class Transcript {
  readonly #dialogue: CommandReply[] = [];
  #isGreeted = false;

  /** `side` is the library's word for who spoke; other entries of its log are not for us. */
  note(side: string | undefined, text: string): void {
    if (side === "client") this.#dialogue.push({ command: text });
    if (side !== "server") return;
    const last = this.#dialogue.at(-1);
    if (last === undefined) this.#isGreeted = text.startsWith("220");
    else last.reply = text;
  }

  /** Of a session that is connected. */
  get phase(): Phase {
    if (!this.#isGreeted) return "greeting";
    const verb = verbOf(this.#dialogue.at(-1));
    if (verb === "STARTTLS") return "tls";
    return verb === undefined || verb === "EHLO" || verb === "HELO" ? "ehlo" : "auth";
  }

  /** STARTTLS was taken, and nothing was said since. */
  get isShakingHands(): boolean {
    const last = this.#dialogue.at(-1);
    return verbOf(last) === "STARTTLS" && last?.reply?.startsWith("2") === true;
  }

  /** What a server said that closes now, whatever it was asked. */
  get farewell(): Reply | undefined {
    const last = parseReply(this.#dialogue.at(-1)?.reply ?? "");
    return last?.code === 421 ? last : undefined;
  }

  /** By any answer to EHLO, before TLS too. */
  get wasTlsOffered(): boolean {
    return this.#dialogue.some((said) => isAnswered(said) && extensionsIn(said.reply ?? "").has("STARTTLS"));
  }

  /** By the last answer: what was said before TLS counts no more (RFC 3207 section 4.2). */
  get extensions(): Extensions {
    const hello = this.#dialogue.findLast((said) => /^(?:EHLO|HELO)$/.test(verbOf(said) ?? ""));
    return hello !== undefined && isAnswered(hello)
      ? { isKnown: true, keywords: extensionsIn(hello.reply ?? "") }
      : unknown;
  }
}

function verbOf(said: CommandReply | undefined): string | undefined {
  return said === undefined ? undefined : /^[A-Z]*/i.exec(said.command)?.[0].toUpperCase();
}

function isAnswered(said: CommandReply): boolean {
  return verbOf(said) === "EHLO" && said.reply?.startsWith("2") === true;
}

/**
 * RFC 5321 section 4.1.1.1: the first line greets, each one after it begins with a keyword. `AUTH=` is how it was written
 * before there was a standard.
 */
function extensionsIn(reply: string): ReadonlyMap<string, string> {
  const extensions = new Map<string, string>();
  for (const line of reply.split(/\r?\n/).slice(1)) {
    const [, keyword, parameters = ""] = /^\d{3}[ -]\s*([a-z0-9][a-z0-9-]*)(?:[ =](.*))?$/i.exec(line.trimEnd()) ?? [];
    if (keyword !== undefined) extensions.set(keyword.toUpperCase(), parameters);
  }
  return extensions;
}
