/**
 * The mail exchanger of local mode: takes every message of any size and keeps it as a file, with its envelope and the
 * verdict on its signatures beside it. A message is answered 250 once both files are complete; when the disk refuses,
 * 452 makes the relay keep it.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { callbackify } from "node:util";
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from "smtp-server";
import { makeDirectory, writeFileAtomically } from "./files.ts";
import { judgeSignatures, type SignatureVerdict, summarizeVerdicts, type TxtLookup } from "./verdict.ts";

/** Messages up to this size are judged from memory; larger ones are read back from disk. */
const inMemoryBytes = 1_048_576;

export interface CapturedMessage {
  readonly receivedAt: string;
  /** Name of the message file in the capture directory. */
  readonly file: string;
  readonly sizeBytes: number;
  readonly from: string;
  readonly to: readonly string[];
  /** Summary of `signatures`. */
  readonly dkim: string;
  readonly signatures: readonly SignatureVerdict[];
}

export interface CaptureSettings {
  readonly directory: string;
  readonly host: string;
  readonly port: number;
  readonly lookup: TxtLookup;
  readonly now: () => number;
  readonly onCaptured: (message: CapturedMessage) => void;
  readonly onError: (error: Error) => void;
}

export interface CaptureExchanger {
  readonly port: number;
  close(): Promise<void>;
}

class StorageError extends Error {
  readonly responseCode = 452;
}

export async function startCapture(settings: CaptureSettings): Promise<CaptureExchanger> {
  await makeDirectory(settings.directory);
  let count = 0;
  const accept = async (stream: SMTPServerDataStream, session: SMTPServerSession): Promise<string> => {
    count += 1;
    const file = `${fileTime(settings.now())}-${String(count).padStart(5, "0")}.eml`;
    try {
      settings.onCaptured(await keep({ settings, stream, session, file }));
      return `captured as ${file}`;
    } catch (error) {
      settings.onError(error instanceof Error ? error : new Error(String(error)));
      throw new StorageError("cannot keep the message", { cause: error });
    }
  };
  const server = new SMTPServer({
    name: "capture.mailboat.localhost",
    banner: "Mailboat capture",
    authOptional: true,
    // Everything it is offered is taken: no AUTH, no TLS, and none of the library's jokes.
    disabledCommands: ["AUTH", "STARTTLS", "XCLIENT", "XFORWARD", "WIZ", "SHELL", "KILL", "HELP", "VRFY"],
    hideENHANCEDSTATUSCODES: false,
    hideDSN: false,
    disableReverseLookup: true,
    logger: false,
    // The one place where the library's callback meets a promise.
    onData: callbackify(accept),
  });
  server.on("error", settings.onError);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(settings.port, settings.host, () => resolve());
  });
  return {
    port: listeningPort(server.server.address()) ?? settings.port,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
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
      sizeBytes += chunk.length;
      if (sizeBytes <= inMemoryBytes) chunks.push(chunk);
      yield chunk;
    }
  };
  try {
    await pipeline(stream, count, createWriteStream(partial, { mode: 0o600 }));
    const bytes = sizeBytes <= inMemoryBytes ? Buffer.concat(chunks) : createReadStream(partial);
    const signatures = await judgeSignatures(bytes, settings.lookup);
    const message: CapturedMessage = {
      receivedAt: new Date(settings.now()).toISOString(),
      file,
      sizeBytes,
      from: session.envelope.mailFrom === false ? "" : session.envelope.mailFrom.address,
      to: session.envelope.rcptTo.map((recipient) => recipient.address),
      dkim: summarizeVerdicts(signatures),
      signatures,
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

/** `20261123T234500.123Z`: sorts by time and is a file name everywhere. */
function fileTime(now: number): string {
  return new Date(now).toISOString().replaceAll(/[-:]/g, "");
}

function listeningPort(address: AddressInfo | string | null): number | undefined {
  return typeof address === "object" && address !== null ? address.port : undefined;
}
