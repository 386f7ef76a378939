/**
 * What was told of messages, kept between runs: a file of JSON lines and its predecessor, which bounds both. Only the
 * page loses when one is damaged, so what cannot be read is passed over. What a person deleted is said by a line of its own,
 * and is gone from the files at the next start.
 */
import { createWriteStream, type WriteStream } from "node:fs";
import { readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { captureAnswer, capturedMessage, waitingMessage } from "../capture/record.ts";
import { writeFileAtomically } from "../files.ts";
import { mailEvent } from "../terminal/mailline.ts";
import { parseSpanLine } from "../trace/spanline.ts";
import type { Happening } from "./story.ts";

const largestFileBytes = 8_388_608;

const journalLine = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("mail"), pod: z.string(), event: mailEvent }),
  z.object({ kind: z.literal("span"), pod: z.string(), span: z.record(z.string(), z.unknown()) }),
  z.object({ kind: z.literal("answer"), answer: captureAnswer }),
  z.object({ kind: z.literal("waiting"), waiting: waitingMessage }),
  z.object({ kind: z.literal("forgotten"), names: z.array(z.string()) }),
]);

/** Stories that a person deleted, by their names: nothing of what stands before it counts for them. */
export interface Forgotten {
  readonly kind: "forgotten";
  readonly names: readonly string[];
}

export class Journal {
  readonly #file: string;
  readonly #onError: (error: Error) => void;
  #stream: WriteStream;
  #sizeBytes: number;
  #turning = false;
  /** While the files are written anew: what is noted meanwhile. */
  #held: string[] | undefined;

  private constructor(file: string, sizeBytes: number, onError: (error: Error) => void) {
    this.#file = file;
    this.#onError = onError;
    this.#sizeBytes = sizeBytes;
    this.#stream = this.#append();
  }

  static async open(file: string, onError: (error: Error) => void): Promise<Journal> {
    const facts = await stat(file).catch(() => undefined);
    return new Journal(file, facts?.size ?? 0, onError);
  }

  read(): Promise<readonly (Happening | Forgotten)[]> {
    return readJournal(this.#file);
  }

  /** Captured messages are on file already. */
  note(happening: Happening | Forgotten): void {
    if (happening.kind === "captured") return;
    const line = `${JSON.stringify(happening)}\n`;
    if (this.#held === undefined) this.#write(line);
    else this.#held.push(line);
  }

  /** The files hold nothing but this from now on; what is noted meanwhile comes behind it. */
  async rewrite(happenings: readonly Happening[]): Promise<void> {
    if (this.#held !== undefined || this.#turning) {
      // Whoever is at it knew less: what is forgotten since then is said by lines.
      return;
    }
    const held: string[] = [];
    this.#held = held;
    try {
      await this.#ended();
      await rm(predecessor(this.#file), { force: true });
      const text = happenings
        .filter(({ kind }) => kind !== "captured")
        .map((happening) => `${JSON.stringify(happening)}\n`)
        .join("");
      await writeFileAtomically(this.#file, text);
      this.#sizeBytes = Buffer.byteLength(text);
    } finally {
      this.#held = undefined;
      this.#stream = this.#append();
      for (const line of held) this.#write(line);
    }
  }

  close(): Promise<void> {
    return this.#ended();
  }

  #ended(): Promise<void> {
    return new Promise((resolve) => this.#stream.end(() => resolve()));
  }

  #write(line: string): void {
    this.#sizeBytes += Buffer.byteLength(line);
    this.#stream.write(line);
    if (this.#sizeBytes > largestFileBytes && !this.#turning) this.#turn();
  }

  #append(): WriteStream {
    const stream = createWriteStream(this.#file, { flags: "a", mode: 0o600 });
    stream.on("error", this.#onError);
    return stream;
  }

  /** Lines that are on their way to the old file arrive there: it is only renamed. */
  #turn(): void {
    this.#turning = true;
    rename(this.#file, predecessor(this.#file))
      .then(() => {
        this.#stream.end();
        this.#stream = this.#append();
        this.#sizeBytes = 0;
      })
      .catch((error: unknown) => this.#onError(error instanceof Error ? error : new Error(String(error))))
      .finally(() => {
        this.#turning = false;
      });
  }
}

/** What the files hold, oldest first. */
export async function readJournal(journal: string): Promise<readonly (Happening | Forgotten)[]> {
  const happenings: (Happening | Forgotten)[] = [];
  for (const file of [predecessor(journal), journal]) {
    const text = await readFile(file, "utf8").catch(() => "");
    for (const line of text.split("\n")) {
      const happening = parseLine(line);
      if (happening !== undefined) happenings.push(happening);
    }
  }
  return happenings;
}

function predecessor(file: string): string {
  return `${file}.1`;
}

function parseLine(line: string): Happening | Forgotten | undefined {
  if (line === "") return undefined;
  try {
    const read = journalLine.safeParse(JSON.parse(line)).data;
    if (read?.kind !== "span") return read;
    const span = parseSpanLine(read.span);
    return span === undefined ? undefined : { kind: "span", pod: read.pod, span };
  } catch {
    return undefined;
  }
}

/** The newest captured messages, oldest first. */
export async function readCaptured(directory: string, limit: number): Promise<readonly Happening[]> {
  const names = new Set(await readdir(directory).catch(() => []));
  // A record whose message somebody deleted tells of nothing.
  const records = [...names].filter((name) => names.has(name.replace(/\.json$/, ".eml")) && name.endsWith(".json"));
  const happenings: Happening[] = [];
  for (const name of records.toSorted().slice(-limit)) {
    const text = await readFile(join(directory, name), "utf8").catch(() => "");
    const message = parseRecord(text);
    if (message !== undefined) happenings.push({ kind: "captured", message });
  }
  return happenings;
}

function parseRecord(text: string) {
  try {
    return capturedMessage.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
