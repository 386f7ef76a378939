/**
 * Which messages a person has read, kept between runs in a small file of names. It holds no more of them than there are messages; one
 * that cannot be read counts as empty, one that cannot be written costs the marks of this run.
 */
import { z } from "zod";
import { readIfThere, writeFileAtomically } from "../../files.ts";

const markFile = z.array(z.string());

export class ReadMarks {
  readonly #file: string;
  readonly #read: Set<string>;
  #writing: Promise<void> = Promise.resolve();
  #isWriteDue = false;

  private constructor(file: string, read: Set<string>) {
    this.#file = file;
    this.#read = read;
  }

  static async open(file: string): Promise<ReadMarks> {
    const text = await readIfThere(file).catch(() => undefined);
    return new ReadMarks(file, new Set(parsed(text ?? "[]")));
  }

  has(id: string): boolean {
    return this.#read.has(id);
  }

  /** Of those that are known, these are read, or are not. Resolves when that is on file. */
  async mark(ids: readonly string[], isRead: boolean, known: ReadonlySet<string>): Promise<void> {
    for (const id of ids) {
      if (isRead) this.#read.add(id);
      else this.#read.delete(id);
    }
    for (const id of this.#read) if (!known.has(id)) this.#read.delete(id);
    await this.#write();
  }

  /** One after the other; marks that come while one is under way share the next. */
  #write(): Promise<void> {
    if (this.#isWriteDue) return this.#writing;
    this.#isWriteDue = true;
    const write = async (): Promise<void> => {
      this.#isWriteDue = false;
      await writeFileAtomically(this.#file, JSON.stringify([...this.#read]));
    };
    this.#writing = this.#writing.then(write, write);
    return this.#writing;
  }
}

function parsed(text: string): readonly string[] {
  try {
    return markFile.safeParse(JSON.parse(text)).data ?? [];
  } catch {
    return [];
  }
}
