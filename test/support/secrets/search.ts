/** Many texts looked for at once (Rabin and Karp), as a test may have thousands of secrets and megabytes of log. */
import { shortestOctets as window } from "./spellings.ts";

const base = 257;
/** base to the power of the window less one, modulo 2^32. */
const highest = Array.from({ length: window - 1 }).reduce<number>((power) => Math.imul(power, base), 1);

const none: readonly string[] = [];

interface Sought {
  readonly octets: Buffer;
  readonly label: string;
}

export interface Found {
  readonly label: string;
  /** Counted from 1. */
  readonly line: number;
}

export class Search {
  readonly #byHash = new Map<number, Sought[]>();
  /** Whether any has a hash that ends so. */
  readonly #mayBe = new Uint8Array(65_536);

  add(text: string, label: string): void {
    const octets = Buffer.from(text);
    if (octets.length < window) throw new Error(`${label} is too short to be looked for`);
    const hash = hashOf(octets);
    this.#byHash.set(hash, [...(this.#byHash.get(hash) ?? []), { octets, label }]);
    this.#mayBe[hash & 0xffff] = 1;
  }

  /** Each label once, where it was seen first. */
  in(text: string): readonly Found[] {
    if (this.#byHash.size === 0) return [];
    const octets = Buffer.from(text);
    const found = new Map<string, Found>();
    let hash = hashOf(octets);
    for (let at = 0; at + window <= octets.length; at += 1) {
      for (const label of this.#startingAt(octets, at, hash)) {
        if (!found.has(label)) found.set(label, { label, line: lineAt(octets, at) });
      }
      const left = Math.imul(octets[at] ?? 0, highest);
      hash = (Math.imul(hash - left, base) + (octets[at + window] ?? 0)) | 0;
    }
    return [...found.values()];
  }

  #startingAt(octets: Buffer, at: number, hash: number): readonly string[] {
    if (this.#mayBe[hash & 0xffff] !== 1) return none;
    const sought = this.#byHash.get(hash) ?? [];
    return sought.flatMap((one) => (octets.subarray(at, at + one.octets.length).equals(one.octets) ? [one.label] : []));
  }
}

function hashOf(octets: Buffer): number {
  return octets.subarray(0, window).reduce((hash, octet) => (Math.imul(hash, base) + octet) | 0, 0);
}

function lineAt(octets: Buffer, at: number): number {
  return octets.subarray(0, at).filter((octet) => octet === 0x0a).length + 1;
}
