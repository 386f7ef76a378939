/** Plays a conversation against a relay and holds each reply against the model of a session. */
import { ScramClient } from "../scramclient.ts";
import type { Command } from "./commands.ts";
import { messageOf, writtenMessage, type Content } from "./contents.ts";
import type { Conversation, Ending, ListenerName, Step } from "./conversations.ts";
import type { Ledger } from "./ledger.ts";
import { OctetClient, type Heard } from "./octetclient.ts";
import type { Login, LoginOf } from "./saslexchanges.ts";
import {
  afterReply,
  afterStartTls,
  asksIn,
  dataExpectation,
  expectationOf,
  loginExpectation,
  mayEnd,
  startTlsExpectation,
  type Expectation,
  type ModelState,
} from "./sessionmodel.ts";

export interface FuzzTarget {
  readonly port: (listener: ListenerName) => number;
  readonly ledger: Ledger;
  readonly user: LoginOf;
  /** An address of loopback that nobody came from before. */
  readonly address: (isNeighbour: boolean) => string;
  /** How often something came about, so that a run that shows nothing is seen. */
  readonly count: (what: string) => void;
}

type HeardReply = Extract<Heard, { kind: "reply" }>;
/** A browser that was made to speak to a mail server; its session ends at once. */
const opensHttp = /^(?:OPTIONS|GET|HEAD|POST|PUT|DELETE|TRACE|CONNECT) .* HTTP\//;

/** The session is over, as it may be. */
class Over extends Error {}

export async function play(target: FuzzTarget, conversation: Conversation): Promise<void> {
  const { listener, isNeighbour, packet } = conversation;
  const client = await OctetClient.open({
    port: target.port(listener),
    from: target.address(isNeighbour),
    isTls: listener === "submissions",
    packet,
  });
  try {
    await new PlayedConversation(target, client, conversation).run();
  } catch (error) {
    if (!(error instanceof Over)) throw error;
  } finally {
    client.destroy();
  }
}

function stateAtFirst({ listener, isNeighbour, proxy }: Conversation): ModelState {
  const byProxy = proxy.client === "open" ? undefined : proxy.client === "trusted";
  return {
    tls: listener === "submissions" ? "implicit" : "offered",
    isTrusted: listener === "balanced" ? byProxy : isNeighbour,
    needsLogin: listener === "submission" || listener === "submissions",
    isSecure: listener === "submissions",
    isGreeted: false,
    hasAskedIn: false,
    isLoggedIn: false,
    isAsked: false,
    transaction: undefined,
    refusals: 0,
  };
}

class PlayedConversation {
  readonly #target: FuzzTarget;
  readonly #client: OctetClient;
  readonly #conversation: Conversation;
  #state: ModelState;
  readonly #said: string[] = [];

  constructor(target: FuzzTarget, client: OctetClient, conversation: Conversation) {
    this.#target = target;
    this.#client = client;
    this.#conversation = conversation;
    this.#state = stateAtFirst(conversation);
  }

  async run(): Promise<void> {
    await this.#begin();
    for (const step of this.#conversation.steps) await this.#step(step);
    await this.#end(this.#conversation.ending);
  }

  async #begin(): Promise<void> {
    const { listener, proxy } = this.#conversation;
    if (listener !== "balanced") {
      if ((await this.#hear("greeting")).code !== 220) this.#wrong("the greeting is no 220");
      return;
    }
    await this.#client.write(proxy.text);
    // Whoever bends a header may have one of which the end is missing.
    if (proxy.client === "open") this.#client.halfClose();
    const heard = await this.#client.hear();
    if (proxy.client === "open") return this.#over();
    const isGreeted = heard.kind === "reply" && heard.code === 220;
    if (isGreeted === (proxy.client === "none"))
      this.#wrong(`after ${JSON.stringify(proxy.text)}: ${JSON.stringify(heard)}`);
    this.#target.count(`proxy ${proxy.client}`);
    if (!isGreeted) this.#over();
  }

  async #step(step: Step): Promise<void> {
    switch (step.kind) {
      case "lines":
        await this.#client.write(
          step.commands.map(({ text, endsBare }) => `${text}${endsBare ? "\n" : "\r\n"}`).join(""),
        );
        for (const { endsBare, ...command } of step.commands) await this.#answered(command, endsBare);
        return;
      case "login":
        return step.login.verdict === "right" ? this.#logIn(step.login) : this.#tryLogin(step.login.lines);
      case "startTls":
        return this.#startTls();
      case "message":
        await this.#message(step.content);
    }
  }

  async #answered(command: Command, endsBare: boolean): Promise<void> {
    const expected = expectationOf(this.#state, command, endsBare);
    const heard = await this.#hear(command.text);
    this.#compare(command.text, expected, heard);
    // RFC 2034 section 4: every refusal says why, but for those of HELO and EHLO.
    if (heard.code >= 400 && heard.enhanced === undefined && !/^(?:ehlo|helo)/i.test(command.text.trim())) {
      this.#wrong(`no enhanced code in ${heard.code} ${heard.lines.join()}`);
    }
    this.#state = afterReply(this.#state, command, heard);
    this.#target.count(`${command.verb} ${heard.code < 400 ? "taken" : "refused"}`);
  }

  async #ask(line: string): Promise<HeardReply> {
    this.#state = asksIn(this.#state, line);
    await this.#client.write(`${line}\r\n`);
    return this.#hear(line);
  }

  async #startTls(): Promise<void> {
    const expected = startTlsExpectation(this.#state);
    const heard = await this.#ask("STARTTLS");
    this.#compare("STARTTLS", expected, heard);
    this.#refusedOrAsked(heard);
    if (heard.code !== 220) return;
    await this.#client.upgrade();
    this.#state = afterStartTls(this.#state);
  }

  async #logIn({ mechanism, hasInitial }: Extract<Login, { verdict: "right" }>): Promise<void> {
    const expected = loginExpectation(this.#state);
    const { name, password } = this.#target.user;
    const encoded = (text: string): string => Buffer.from(text).toString("base64");
    const scram = new ScramClient({ username: name, password });
    const messages: Readonly<Record<typeof mechanism, readonly ((challenge: string) => string)[]>> = {
      PLAIN: [() => `\0${name}\0${password}`],
      LOGIN: [() => name, () => password],
      "SCRAM-SHA-256": [() => scram.first(), (challenge) => scram.final(challenge), () => ""],
    };
    const [first, ...rest] = messages[mechanism];
    const answers = hasInitial ? rest : [first, ...rest];
    let heard = await this.#ask(`AUTH ${mechanism}${hasInitial ? ` ${encoded(first?.("") ?? "")}` : ""}`);
    while (heard.code === 334) {
      const challenge = Buffer.from(heard.lines[0] ?? "", "base64").toString();
      heard = await this.#ask(encoded(answers.shift()?.(challenge) ?? ""));
    }
    this.#compare(`AUTH ${mechanism}`, expected, heard);
    this.#refusedOrAsked(heard);
    if (heard.code !== 235) return;
    this.#state = { ...this.#state, isLoggedIn: true };
    this.#target.count(`login ${mechanism}`);
  }

  async #tryLogin(lines: readonly string[]): Promise<void> {
    for (const line of lines) {
      const heard = await this.#ask(line);
      if (heard.code === 235) this.#wrong("a login without a password");
      if (heard.code === 451) this.#wrong(`a login that the relay failed at: ${JSON.stringify(lines)}`);
      if (heard.code === 334 && !this.#state.isSecure) this.#wrong("a login in the clear");
      this.#refusedOrAsked(heard);
      if (heard.code !== 334) break;
    }
    this.#target.count("login refused");
  }

  #refusedOrAsked({ code }: HeardReply): void {
    this.#state = { ...this.#state, isAsked: code === 334, refusals: this.#state.refusals + (code >= 400 ? 1 : 0) };
  }

  /** Whether the message may be written now. */
  async #data(): Promise<boolean> {
    const expected = dataExpectation(this.#state);
    const heard = await this.#ask("DATA");
    this.#compare("DATA", expected, heard);
    this.#refusedOrAsked(heard);
    return heard.code === 354;
  }

  async #message(content: Content): Promise<void> {
    if (!(await this.#data())) return;
    const { transaction } = this.#state;
    const { ledger } = this.#target;
    const subject = ledger.nextSubject();
    await this.#client.write(`${writtenMessage(content, subject)}.\r\n`);
    const heard = await this.#hear(subject);
    this.#compare(`the message ${JSON.stringify(content)}`, content.verdict === "right" ? "yes" : "no", heard);
    this.#target.count(heard.code === 250 ? "message taken" : "message refused");
    this.#refusedOrAsked(heard);
    this.#state = { ...this.#state, transaction: undefined };
    if (heard.code !== 250 || transaction === undefined) return;
    ledger.note({ subject, message: messageOf(content, subject), transaction, isAnswered: true });
  }

  async #end(ending: Ending): Promise<void> {
    switch (ending.kind) {
      case "quit": {
        const { code } = await this.#ask("QUIT");
        if (code !== 221 && !this.#state.isAsked) this.#wrong(`QUIT is answered ${code}`);
        if (code === 221 && (await this.#client.hear()).kind !== "end") this.#wrong("something behind the goodbye");
        return;
      }
      case "halfClosed":
        this.#client.halfClose();
        if ((await this.#client.hear()).kind !== "end")
          this.#wrong(`said without being asked: ${this.#client.unasked}`);
        return;
      case "reset":
        this.#client.reset();
        return;
      case "inMessage":
        return this.#breakOff(ending);
      case "deaf":
        return this.#leaveBefore(ending);
    }
  }

  /** Nobody must ever hear of what has no end. */
  async #breakOff({ before, content, octets, isReset }: Extract<Ending, { kind: "inMessage" }>): Promise<void> {
    await this.#step(before);
    if (!(await this.#data())) return;
    const whole = writtenMessage(content, this.#target.ledger.nextSubject());
    await this.#client.write(whole.slice(0, octets));
    this.#target.count("message broken off");
    if (isReset) {
      this.#client.reset();
      return;
    }
    this.#client.halfClose();
    const heard = await this.#client.hear();
    if (heard.kind === "reply" && heard.code < 400) this.#wrong(`half a message is answered ${heard.code}`);
  }

  async #leaveBefore({ before, content }: Extract<Ending, { kind: "deaf" }>): Promise<void> {
    await this.#step(before);
    if (!(await this.#data())) return;
    const { ledger } = this.#target;
    const subject = ledger.nextSubject();
    const { transaction } = this.#state;
    if (transaction !== undefined && content.verdict === "right") {
      ledger.note({ subject, message: messageOf(content, subject), transaction, isAnswered: false });
    }
    await this.#client.write(`${writtenMessage(content, subject)}.\r\n`);
    this.#client.halfClose();
  }

  async #hear(line: string): Promise<HeardReply> {
    this.#said.push(line);
    const heard = await this.#client.hear().catch((error: unknown) => this.#wrong(String(error)));
    if (heard.kind === "end" || heard.code === 421) {
      if (!mayEnd(this.#state) && !opensHttp.test(line)) this.#wrong(`the session ends: ${JSON.stringify(heard)}`);
      this.#target.count("session ended");
      this.#over();
    }
    return heard;
  }

  #compare(what: string, expected: Expectation, { code, lines }: HeardReply): void {
    // A challenge is neither: what comes of it is seen later.
    const isTaken = code < 400 && code !== 334;
    if (expected !== "any" && isTaken !== (expected === "yes"))
      this.#wrong(`${what} is answered ${code} ${lines.join(" ")}`);
  }

  #over(): never {
    throw new Over();
  }

  #wrong(why: string): never {
    const said = this.#said
      .map((line) => JSON.stringify(line.length > 300 ? `${line.slice(0, 300)}...` : line))
      .join("\n");
    throw new Error(
      `${why}\nby ${JSON.stringify({ ...this.#state, transaction: this.#state.transaction !== undefined })}\nafter\n${said}`,
    );
  }
}
