/**
 * Search in what a list shows and in the messages themselves. Texts are made of the files one after the other and kept within a bound,
 * so that the next key that a person types costs no reading; never are all bodies in memory.
 */
import { decodedField, readMessage, type ReadMessage } from "../../capture/mime.ts";
import { readFirst } from "../content.ts";

/** Of each message, header and text together stand before attachments, which are not searched. */
const searchedBytes = 262_144;
/** All kept texts together, in characters. */
const keptCharacters = 16_777_216;
const filesAtOnce = 8;
export const mostWords = 20;

/** Words apart by spaces, and phrases in quotes. */
export function wordsOf(query: string): readonly string[] {
  const words = [...query.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => folded(match[1] ?? match[2] ?? ""));
  return words.filter((word) => word !== "");
}

/** As it is compared: without case, without the widths and ligatures of compatibility characters, spaces are one. */
export function folded(text: string): string {
  return text.normalize("NFKC").toLowerCase().replaceAll(/\s+/g, " ").trim();
}

/** What is looked through: words at hand, and files to read. */
export interface Searched<T> {
  readonly value: T;
  readonly text: string;
  readonly files: readonly string[];
}

export class Search {
  readonly #pathOf: (file: string) => Promise<string | undefined>;
  /** By file; the one that was used last is the last. */
  readonly #texts = new Map<string, string>();
  #characters = 0;

  constructor(pathOf: (file: string) => Promise<string | undefined>) {
    this.#pathOf = pathOf;
  }

  /** Those that hold all words, in their order. Whoever asked may go: then it stops. */
  async find<T>(all: readonly Searched<T>[], words: readonly string[], signal: AbortSignal): Promise<readonly T[]> {
    const found: T[] = [];
    for (let at = 0; at < all.length && !signal.aborted; at += filesAtOnce) {
      const some = all.slice(at, at + filesAtOnce);
      const held = await Promise.all(some.map((one) => this.#holds(one, words)));
      found.push(...some.filter((_one, index) => held[index] === true).map(({ value }) => value));
    }
    return found;
  }

  /** Its text is needed no more. */
  forget(file: string): void {
    this.#characters -= this.#texts.get(file)?.length ?? 0;
    this.#texts.delete(file);
  }

  async #holds<T>({ text, files }: Searched<T>, words: readonly string[]): Promise<boolean> {
    const outline = folded(text);
    const left = words.filter((word) => !outline.includes(word));
    if (left.length === 0) return true;
    const texts = await Promise.all(files.map((file) => this.#textOf(file)));
    return left.every((word) => texts.some((each) => each.includes(word)));
  }

  /** Empty for a file that is gone or that nobody can take apart: it is found by its outline alone. */
  async #textOf(file: string): Promise<string> {
    const known = this.#texts.get(file);
    if (known !== undefined) return known;
    const path = await this.#pathOf(file);
    if (path === undefined) return "";
    const text = await readFirst(path, searchedBytes)
      .then((bytes) => readMessage(bytes))
      .then(textOf, () => "");
    this.#keep(file, text);
    return text;
  }

  #keep(file: string, text: string): void {
    if (this.#texts.has(file)) return;
    this.#texts.set(file, text);
    this.#characters += text.length;
    for (const oldest of this.#texts.keys()) {
      if (this.#characters <= keptCharacters) return;
      this.forget(oldest);
    }
  }
}

function textOf({ headers, text, parts }: ReadMessage): string {
  const fields = headers.map(({ name, value }) => `${name}: ${decodedField(value)}`);
  return folded([...fields, text ?? "", ...parts.map(({ name }) => name)].join("\n"));
}
