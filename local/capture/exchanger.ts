/**
 * The mail exchanger of local mode: takes every message of any size and keeps it as a file, with its envelope and the
 * verdict on its signatures beside it. A message is answered 250 once both files are complete; when the disk refuses,
 * 452 makes the relay keep it. Recipients whose local part says so are answered otherwise (behaviour.ts).
 */
import { createReadStream, createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as pause } from "node:timers/promises";
import { callbackify } from "node:util";
import type { SMTPServerAddress, SMTPServerDataStream, SMTPServerSession } from "smtp-server";
import { makeDirectory, writeFileAtomically } from "../files.ts";
import { answerRecipient, behaviourOf, planContent, type ScriptedReply } from "./behaviour.ts";
import { summarizeMessage } from "./mime.ts";
import type { CaptureAnswer, CapturedMessage, MessageSummary } from "./record.ts";
import { CaptureServer } from "./server.ts";
import { type Offer, TryBook } from "./tries.ts";
import { judgeSignatures, summarizeVerdicts, type TxtLookup } from "./verdict.ts";

/** Messages up to this size are judged from memory; larger ones are read back from disk. */
const inMemoryBytes = 1_048_576;

export interface CaptureSettings {
  readonly directory: string;
  readonly host: string;
  readonly port: number;
  readonly lookup: TxtLookup;
  readonly now: () => number;
  readonly onCaptured: (message: CapturedMessage) => void;
  readonly onAnswered: (answer: CaptureAnswer) => void;
  readonly onError: (error: Error) => void;
}

export interface CaptureExchanger {
  readonly port: number;
  close(): Promise<void>;
}

/** What the client is told instead of 250; the library reads `responseCode`. */
class ReplyError extends Error {
  readonly responseCode: number;

  constructor(responseCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.responseCode = responseCode;
  }
}

export async function startCapture(settings: CaptureSettings): Promise<CaptureExchanger> {
  await makeDirectory(settings.directory);
  const exchanger = new Exchanger(settings);
  await exchanger.listen();
  return exchanger;
}

class Exchanger implements CaptureExchanger {
  readonly #settings: CaptureSettings;
  readonly #server: CaptureServer;
  readonly #tries = new TryBook();
  readonly #closing = new AbortController();
  readonly #startedAt: number;
  #files = 0;
  #answers = 0;

  constructor(settings: CaptureSettings) {
    this.#settings = settings;
    this.#startedAt = settings.now();
    this.#server = new CaptureServer({
      // The one place where the library's callbacks meet promises.
      onRcptTo: callbackify((address: SMTPServerAddress, session: SMTPServerSession) =>
        Promise.resolve().then(() => this.#recipient(address, session)),
      ),
      onData: callbackify((stream: SMTPServerDataStream, session: SMTPServerSession) => this.#data(stream, session)),
    });
    this.#server.on("error", settings.onError);
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#settings.port, this.#settings.host, () => resolve());
    });
  }

  get port(): number {
    return listeningPort(this.#server.server.address()) ?? this.#settings.port;
  }

  close(): Promise<void> {
    this.#closing.abort();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #recipient({ address }: SMTPServerAddress, session: SMTPServerSession): void {
    const { mailFrom } = session.envelope;
    const behaviour = behaviourOf(address);
    if (behaviour === undefined || mailFrom === false) return;
    const offer: Offer = {
      sender: mailFrom.address,
      recipient: address,
      size: parameter(mailFrom, "SIZE"),
      envelopeId: parameter(mailFrom, "ENVID"),
    };
    const now = this.#settings.now();
    const reply = answerRecipient(behaviour, this.#tries.note(offer, now), now);
    if (reply === undefined) this.#tries.forget(offer);
    else throw this.#answer({ from: mailFrom.address, to: [address] }, reply);
  }

  async #data(stream: SMTPServerDataStream, session: SMTPServerSession): Promise<string> {
    const envelope = envelopeOf(session);
    const plan = planContent(envelope.to);
    // Who stops local mode does not wait for a slow recipient.
    if (plan.waitMs > 0)
      await pause(plan.waitMs, undefined, { signal: this.#closing.signal, ref: false }).catch(() => 0);
    if (plan.cut) return this.#cut(stream, session);
    if (plan.refusal !== undefined) {
      const summary = await summarizeStart(stream);
      throw this.#answer({ ...envelope, to: [plan.refusal.address], summary }, plan.refusal.reply);
    }
    this.#files += 1;
    const file = `${fileTime(this.#settings.now())}-${String(this.#files).padStart(5, "0")}.eml`;
    try {
      this.#settings.onCaptured(await keep({ settings: this.#settings, stream, session, file }));
      return `captured as ${file}`;
    } catch (error) {
      this.#settings.onError(error instanceof Error ? error : new Error(String(error)));
      throw new ReplyError(452, "4.3.1 cannot keep the message", { cause: error });
    }
  }

  async #cut(stream: SMTPServerDataStream, session: SMTPServerSession): Promise<never> {
    const summary = await summarizeStart(stream);
    this.#note({ ...envelopeOf(session), summary, reply: "connection cut" });
    this.#server.cut(session);
    throw new ReplyError(451, "4.3.0 connection cut");
  }

  #answer(about: Pick<CaptureAnswer, "from" | "to" | "summary">, reply: ScriptedReply): ReplyError {
    const words = `<${about.to[0] ?? ""}> ${reply.text}`;
    const id = this.#note({ ...about, reply: [reply.code, reply.enhanced, words].filter(Boolean).join(" ") });
    const text = `${words} [answer ${id}]`;
    return new ReplyError(reply.code, reply.enhanced === undefined ? text : `${reply.enhanced} ${text}`);
  }

  #note(answer: Omit<CaptureAnswer, "id" | "at">): string {
    this.#answers += 1;
    const id = `${this.#startedAt.toString(36)}.${this.#answers}`;
    this.#settings.onAnswered({ ...answer, id, at: new Date(this.#settings.now()).toISOString() });
    return id;
  }
}

interface Incoming {
  readonly settings: CaptureSettings;
  readonly stream: SMTPServerDataStream;
  readonly session: SMTPServerSession;
  readonly file: string;
}

async function keep(incoming: Incoming): Promise<CapturedMessage> {
  const { settings, stream, session, file } = incoming;
  const path = join(settings.directory, file);
  const partial = `${path}.part`;
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  const count = async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      if (sizeBytes < inMemoryBytes) chunks.push(chunk);
      sizeBytes += chunk.length;
      yield chunk;
    }
  };
  try {
    // Whoever clears by hand may have removed the folder itself.
    await makeDirectory(settings.directory);
    await pipeline(stream, count, createWriteStream(partial, { mode: 0o600 }));
    const isWhole = sizeBytes <= inMemoryBytes;
    const start = Buffer.concat(chunks);
    const signatures = await judgeSignatures(isWhole ? start : createReadStream(partial), settings.lookup);
    const summary = await summarize(start, isWhole);
    const message: CapturedMessage = {
      receivedAt: new Date(settings.now()).toISOString(),
      file,
      sizeBytes,
      ...envelopeOf(session),
      dkim: summarizeVerdicts(signatures),
      signatures: [...signatures],
      ...(summary === undefined ? {} : { summary }),
    };
    const record = path.replace(/\.eml$/, ".json");
    await writeFileAtomically(record, JSON.stringify(message, undefined, 2) + "\n");
    await rename(partial, path);
    return message;
  } catch (error) {
    stream.resume();
    await rm(partial, { force: true });
    throw error;
  }
}

/** Reads to the end; keeps what the header is in. */
async function summarizeStart(stream: SMTPServerDataStream): Promise<MessageSummary | undefined> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of stream) {
    if (!Buffer.isBuffer(chunk)) continue;
    if (sizeBytes < inMemoryBytes) chunks.push(chunk);
    sizeBytes += chunk.length;
  }
  return summarize(Buffer.concat(chunks), sizeBytes <= inMemoryBytes);
}

/** A message that the parser does not take is kept all the same. */
async function summarize(start: Buffer, isWhole: boolean): Promise<MessageSummary | undefined> {
  try {
    return await summarizeMessage(start, isWhole);
  } catch {
    return undefined;
  }
}

function envelopeOf(session: SMTPServerSession): { readonly from: string; readonly to: string[] } {
  const { mailFrom, rcptTo } = session.envelope;
  return { from: mailFrom === false ? "" : mailFrom.address, to: rcptTo.map(({ address }) => address) };
}

function parameter(address: SMTPServerAddress, name: string): string {
  const value = address.args === false ? undefined : address.args[name];
  return typeof value === "string" ? value : "";
}

/** `20261123T234500.123Z`: sorts by time and is a file name everywhere. */
function fileTime(now: number): string {
  return new Date(now).toISOString().replaceAll(/[-:]/g, "");
}

function listeningPort(address: AddressInfo | string | null): number | undefined {
  return typeof address === "object" && address !== null ? address.port : undefined;
}
