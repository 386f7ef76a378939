/**
 * One mail transaction over an open connection: MAIL, RCPT, DATA, and what came back for each recipient.
 *
 * Promise: transact() never rejects; every recipient gets an answer. A message that the hop can not carry unchanged is
 * refused here before MAIL. A refusal at any point leaves the dialogue where RFC 5321 says that it is, and the connection is
 * kept; only what breaks off inside the message drops it, because nobody knows what the hop would take for a command then.
 */
import { once } from "node:events";
import type { Writable } from "node:stream";
import type { EnvelopeRecipient } from "../../mail/envelope.ts";
import type { HostAnswer, LocalReason, Phase, Trouble } from "../../mail/hostanswer.ts";
import { asciiOrcpt } from "../../mail/notice/recipientform.ts";
import { formatReply, type Reply } from "../../mail/reply.ts";
import { DotStuffing, stuffWhole } from "./dotstuffing.ts";

export interface Outgoing {
  /** "" is the null reverse-path. */
  readonly sender: string;
  readonly recipients: readonly EnvelopeRecipient[];
  readonly smtpUtf8: boolean;
  readonly eightBit: boolean;
  readonly ret?: "FULL" | "HDRS";
  readonly envid?: string;
  /** Signatures, header and the empty line. */
  readonly head: Buffer;
  readonly body: Buffer | (() => AsyncIterable<Buffer | string>);
  /** Of head and body. */
  readonly sizeBytes: number;
  /** Asked before the first octet of the message leaves, which waits for what it returns: its outcome must have a place. */
  readonly place?: () => Promise<void> | undefined;
  /** Asked before the envelope, the first octet of the message and the last: when it may not, the hop never has it whole. */
  readonly mayLeave?: () => boolean;
}

export interface TransactionReport {
  /** In the order of the recipients. */
  readonly answers: readonly HostAnswer[];
  /** The connection was gone before MAIL was judged: on a reused connection this was no attempt. */
  readonly stale: boolean;
}

/** The connection is gone; `reply` is what the other side said with it. */
export class LineLostError extends Error {
  override readonly name = "LineLostError";
  readonly reply: Reply | undefined;

  constructor(detail: string, reply?: Reply) {
    super(detail);
    this.reply = reply;
  }
}

/** An open SMTP session between transactions, as far as a transaction needs it. */
export interface SmtpLine {
  readonly nextHop: string;
  readonly output: Writable;
  /** 0 when the hop named no limit. */
  readonly maxSizeBytes: number;
  /** False when the hop refused EHLO: what it does not offer then, it may still have. */
  readonly knowsOffers: boolean;
  offers(extension: string): boolean;
  /** Sends the commands in one write and expects a reply for each. */
  command(commands: readonly string[]): void;
  /** Expects a reply without a command: the one that ends DATA. */
  expectReply(): void;
  /** The next expected reply; rejects with LineLostError when the connection is gone. */
  nextReply(): Promise<Reply>;
  /** Aborted when the connection is gone. */
  readonly lost: AbortSignal;
  /** A reply is here that nobody has asked for yet. */
  readonly hasReply: boolean;
  /** How long what is said next may take before the connection counts as lost (RFC 5321 section 4.5.3.2). */
  setPatience(phase: "command" | "data" | "body" | "end"): void;
  /** Says QUIT and goes; only where the hop waits for a command. */
  leave(detail?: string): void;
  drop(detail?: string): void;
}

export async function transact(line: SmtpLine, mail: Outgoing): Promise<TransactionReport> {
  const transaction = new OutgoingTransaction(line, mail);
  try {
    await transaction.run();
  } catch (error) {
    line.drop();
    transaction.fail(error);
  }
  return transaction.report();
}

class OutgoingTransaction {
  readonly #line: SmtpLine;
  readonly #mail: Outgoing;
  readonly #answers: (HostAnswer | undefined)[];
  #phase: Phase = "mail";
  #judged = false;
  #withheld = false;

  constructor(line: SmtpLine, mail: Outgoing) {
    this.#line = line;
    this.#mail = mail;
    this.#answers = mail.recipients.map(() => undefined);
  }

  async run(): Promise<void> {
    if (this.#isWithheld()) {
      this.#decide({ phase: "local", reason: "withheld" });
      return;
    }
    const needsUtf8 = this.#refuseWhatTheHopCannotCarry();
    const asked = this.#undecided();
    if (asked.length === 0) {
      // The next session may begin with an answer to EHLO.
      if (!this.#line.knowsOffers) this.#line.leave("the next hop refused EHLO");
      return;
    }
    const pipelined = this.#line.offers("PIPELINING");
    const commands = [
      mailCommand(this.#line, this.#mail, needsUtf8),
      ...asked.map((index) => this.#rcptCommand(index, needsUtf8)),
    ];
    // RFC 2920 section 3.1: DATA may only be the last of a group.
    if (pipelined) this.#line.command([...commands, "DATA"]);
    const open = await this.#envelope(commands, asked, pipelined);
    if (!open) return;
    await this.#content();
  }

  /** Gives every recipient without an answer the trouble that `error` is. */
  fail(error: unknown): void {
    const reply = error instanceof LineLostError ? error.reply : undefined;
    const detail = error instanceof Error ? error.message : String(error);
    const phase = error instanceof LineLostError ? this.#phase : "local";
    this.#decide({ phase, detail, ...(reply === undefined ? {} : { reply }) });
  }

  report(): TransactionReport {
    const answers = this.#answers.map(
      (answer): HostAnswer => answer ?? { kind: "trouble", trouble: { phase: "local", detail: "no answer" } },
    );
    return { answers, stale: !this.#judged && this.#line.lost.aborted };
  }

  /** MAIL, RCPT and DATA. True when the hop waits for the message. */
  async #envelope(commands: readonly string[], asked: readonly number[], pipelined: boolean): Promise<boolean> {
    const ask = async (command: string | undefined): Promise<Reply> => {
      if (!pipelined && command !== undefined) this.#line.command([command]);
      return this.#line.nextReply();
    };
    const mailReply = inPlace(await ask(commands[0]));
    this.#judged = !isFarewell(mailReply);
    const mailAccepted = isPositive(mailReply);
    if (!mailAccepted) this.#decide({ phase: "mail", reply: mailReply });
    if (!this.#judged) this.#line.leave("the next hop closes the connection");
    if (!mailAccepted && !pipelined) return false;
    if (mailAccepted) this.#phase = "rcpt";
    let position = 1;
    for (const index of asked) {
      const reply = inPlace(await ask(commands[position++]));
      if (!isPositive(reply) && mailAccepted) this.#refuse(index, { phase: "rcpt", reply });
    }
    const wanted = this.#undecided().length > 0;
    if (!wanted && !pipelined) {
      await this.#reset();
      return false;
    }
    if (mailAccepted) this.#phase = "data";
    this.#line.setPatience("data");
    const dataReply = await ask("DATA");
    this.#line.setPatience("command");
    return this.#judgeData(dataReply, wanted);
  }

  async #judgeData(reply: Reply, wanted: boolean): Promise<boolean> {
    const ready = reply.code >= 300 && reply.code <= 399;
    if (ready && wanted) return true;
    if (wanted) this.#decide({ phase: "data", reply });
    if (ready) await this.#endWithNobody();
    // A hop that says 250 to DATA may wait for a command or for the message.
    else if (reply.code < 400) this.#line.leave("the next hop does not say what it waits for");
    else await this.#reset();
    return false;
  }

  /** RFC 2920 section 3.1: a hop that takes DATA with nobody to deliver to is given a single dot. */
  async #endWithNobody(): Promise<void> {
    this.#line.expectReply();
    this.#line.setPatience("end");
    this.#line.output.write(".\r\n");
    await this.#line.nextReply();
    this.#line.setPatience("command");
  }

  /** The message itself and the reply that passes responsibility (RFC 5321 section 6.1). */
  async #content(): Promise<void> {
    const place = this.#mail.place?.();
    if (place !== undefined) await Promise.race([place, gone(this.#line.lost)]);
    if (this.#isWithheld()) {
      this.#withhold();
      return;
    }
    this.#phase = "body";
    const { head, body } = this.#mail;
    this.#line.setPatience("body");
    this.#line.expectReply();
    if (Buffer.isBuffer(body)) this.#line.output.write(stuffWhole([head, body]));
    else if (!(await this.#stream(head, body()))) {
      if (!this.#isWithheld()) return this.#breakOff();
      this.#withhold();
      return;
    }
    if (!this.#line.lost.aborted) {
      this.#phase = "end";
      this.#line.setPatience("end");
    }
    const reply = await this.#line.nextReply();
    this.#line.setPatience("command");
    if (isPositive(reply)) {
      const dsn = this.#line.offers("DSN");
      for (const index of this.#undecided()) this.#answers[index] = { kind: "accepted", reply, dsn };
      return;
    }
    // RFC 5321 section 4.1.1.4: the transaction is over, whatever came of it, and the next may begin.
    this.#decide({ phase: "end", reply });
    // RFC 5321 section 4.2.1: what is neither yes nor no to a message leaves open what the hop waits for.
    if (reply.code < 400) this.#line.leave("the next hop does not say what it waits for");
  }

  /** What was held back once is not begun again. */
  #isWithheld(): boolean {
    this.#withheld ||= this.#mail.mayLeave?.() === false;
    return this.#withheld;
  }

  /** RFC 5321 section 4.1.1.4: without the final dot the hop has no message, and a connection that ends here leaves it none. */
  #withhold(): void {
    this.#decide({ phase: "local", reason: "withheld" });
    this.#line.drop("the message is held back");
  }

  /** A reply that came before the message was whole: a refusal is one, a consent cannot be meant for it. */
  async #breakOff(): Promise<void> {
    const reply = await this.#line.nextReply();
    if (isPositive(reply)) this.#decide({ phase: "body", detail: "the next hop answered before the message was sent" });
    else this.#decide({ phase: "end", reply });
    this.#line.drop();
  }

  /** False when the hop said something before all of it was sent; the final dot is not sent then. */
  async #stream(head: Buffer, body: AsyncIterable<Buffer | string>): Promise<boolean> {
    const stuffing = new DotStuffing();
    await this.#write(stuffing.stuff(head));
    for await (const chunk of body) {
      // Leaving the loop destroys the source: nothing is read for a connection that is gone.
      if (this.#line.lost.aborted || this.#line.hasReply) break;
      await this.#write(stuffing.stuff(Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk, "latin1")));
    }
    if (this.#line.hasReply || this.#isWithheld()) return false;
    if (!this.#line.lost.aborted) this.#line.output.write(stuffing.end());
    return true;
  }

  async #write(pieces: readonly Buffer[]): Promise<void> {
    const { output, lost } = this.#line;
    let room = true;
    output.cork();
    for (const piece of pieces) room = output.write(piece);
    output.uncork();
    if (room || lost.aborted) return;
    await new Promise<void>((resolve) => {
      const proceed = (): void => {
        output.off("drain", proceed);
        lost.removeEventListener("abort", proceed);
        resolve();
      };
      output.on("drain", proceed);
      lost.addEventListener("abort", proceed);
    });
  }

  async #reset(): Promise<void> {
    this.#line.command(["RSET"]);
    if (!isPositive(await this.#line.nextReply())) this.#line.leave("the next hop refuses RSET");
  }

  #refuseWhatTheHopCannotCarry(): boolean {
    const mail = this.#mail;
    const headNeedsUtf8 = mail.smtpUtf8 && (!isAscii(mail.sender) || !isAscii(mail.head.toString("latin1")));
    const isKnown = this.#line.knowsOffers;
    const refuseAll = (reason: LocalReason): void => this.#decide({ phase: "local", reason });
    if (!this.#line.offers("SMTPUTF8")) {
      const reason = isKnown ? "no-smtputf8" : "smtputf8-unknown";
      if (headNeedsUtf8) refuseAll(reason);
      mail.recipients.forEach(({ address }, index) => {
        if (!isAscii(address)) this.#refuse(index, { phase: "local", reason });
      });
    }
    if (mail.eightBit && !this.#line.offers("8BITMIME")) refuseAll(isKnown ? "no-8bitmime" : "8bitmime-unknown");
    const { maxSizeBytes } = this.#line;
    if (maxSizeBytes > 0 && mail.sizeBytes > maxSizeBytes) refuseAll("too-large");
    return headNeedsUtf8 || this.#undecided().some((index) => !isAscii(mail.recipients[index]?.address ?? ""));
  }

  #undecided(): number[] {
    return this.#answers.flatMap((answer, index) => (answer === undefined ? index : []));
  }

  #decide(trouble: Trouble): void {
    for (const index of this.#undecided()) this.#refuse(index, trouble);
  }

  #refuse(index: number, trouble: Trouble): void {
    this.#answers[index] ??= { kind: "trouble", trouble: { ...trouble, nextHop: this.#line.nextHop } };
  }

  /**
   * RFC 3461 section 5.2.1: NOTIFY and ORCPT go on as they came. An ORCPT that did not come is not made up: addresses pass
   * unchanged here, so the next hop can do that as well as we.
   */
  #rcptCommand(index: number, utf8: boolean): string {
    const { address, notify, orcpt } = this.#mail.recipients[index] ?? { address: "" };
    const words = [`RCPT TO:<${address}>`];
    if (this.#line.offers("DSN")) {
      if (notify !== undefined) words.push(`NOTIFY=${notify.join(",")}`);
      if (orcpt !== undefined) words.push(`ORCPT=${utf8 ? orcpt : asciiOrcpt(orcpt)}`);
    }
    return words.join(" ");
  }
}

function mailCommand(line: SmtpLine, mail: Outgoing, needsUtf8: boolean): string {
  const words = [`MAIL FROM:<${mail.sender}>`];
  if (line.offers("SIZE")) words.push(`SIZE=${mail.sizeBytes}`);
  if (mail.eightBit) words.push("BODY=8BITMIME");
  if (needsUtf8) words.push("SMTPUTF8");
  if (line.offers("DSN")) {
    if (mail.ret !== undefined) words.push(`RET=${mail.ret}`);
    if (mail.envid !== undefined) words.push(`ENVID=${mail.envid}`);
  }
  return words.join(" ");
}

/** RFC 5321 section 4.3.2: no 3xx answers MAIL or RCPT; it answers another command, and so would what comes next. */
function inPlace(reply: Reply): Reply {
  if (reply.code < 300 || reply.code > 399) return reply;
  throw new LineLostError(`the next hop answers out of turn: ${formatReply(reply)}`);
}

/**
 * RFC 5321 section 3.8, and RFC 3463 section 3.5: X.4.2 is about the connection, which was idle for too long. It may have been
 * said before MAIL came, and says nothing about the message.
 */
function isFarewell({ code, enhanced }: Reply): boolean {
  return code === 421 || enhanced === "4.4.2";
}

async function gone(lost: AbortSignal): Promise<void> {
  if (!lost.aborted) await once(lost, "abort");
}

function isPositive(reply: Reply): boolean {
  return reply.code >= 200 && reply.code <= 299;
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}
