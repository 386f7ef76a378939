/** How long each task took last time, kept beside what is built once: whoever begins with the longest ends soonest. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { cacheFolder } from "../support/goprogram.ts";

const kept = z.record(z.string(), z.number());

export class Durations {
  readonly #path: string;
  readonly #seconds: Map<string, number>;

  private constructor(path: string, seconds: Map<string, number>) {
    this.#path = path;
    this.#seconds = seconds;
  }

  /** What cannot be read is not known. */
  static load(folder = cacheFolder()): Durations {
    const path = join(folder, "durations.json");
    return new Durations(path, new Map(Object.entries(read(path))));
  }

  /** The longest first; what is not known before all others. */
  longestFirst<Named extends { readonly name: string }>(tasks: readonly Named[]): readonly Named[] {
    const secondsOf = ({ name }: Named): number => this.#seconds.get(name) ?? Number.POSITIVE_INFINITY;
    return tasks.toSorted((left, right) => Math.sign(secondsOf(right) - secondsOf(left)) || 0);
  }

  note(name: string, seconds: number): void {
    this.#seconds.set(name, Math.round(seconds * 10) / 10);
  }

  /** A run without it is no worse than a first one. */
  save(): void {
    try {
      mkdirSync(join(this.#path, ".."), { recursive: true });
      // Another run may read it meanwhile.
      const scratch = `${this.#path}.${process.pid}`;
      writeFileSync(scratch, JSON.stringify(Object.fromEntries(this.#seconds)));
      renameSync(scratch, this.#path);
    } catch (error) {
      process.stderr.write(`durations are not kept: ${String(error)}\n`);
    }
  }
}

function read(path: string): Readonly<Record<string, number>> {
  try {
    return kept.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return {};
  }
}
