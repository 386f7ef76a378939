/**
 * Makes equal parts of different objects the same part. Objects of the caches are made alike (owners, conditions, volumes,
 * mounts), and the parser makes each text anew: at ten thousand resources the copies are what fills the memory. What is shared
 * must never be changed, and nothing of a cache is.
 */
import { isRecord } from "../client/resource.ts";

/** Larger parts are seldom equal. */
const longestShared = 400;
/** Of one generation; what is not met again within the next one is forgotten. All that is remembered takes half a MiB. */
const remembered = 2048;

interface Shared {
  readonly value: unknown;
  /** Of parts that can be shared: JSON as its own key. */
  readonly text: string | undefined;
}

export class Sharing {
  #young = new Map<string, unknown>();
  #old = new Map<string, unknown>();

  /** The same value, of parts that others have as well. */
  of<T>(value: T): T {
    return this.#share(value).value as T;
  }

  #share(value: unknown): Shared {
    if (typeof value === "string") {
      if (value.length > longestShared) return { value, text: undefined };
      const text = JSON.stringify(value);
      return { value: this.#known(text, value), text };
    }
    if (Array.isArray(value)) {
      const items = value.map((item) => this.#share(item));
      return this.#part(
        items.map((item) => item.value),
        textOf("[", items, (item) => item.text),
      );
    }
    // NaN would be spelled as null.
    if (typeof value === "number" && !Number.isFinite(value)) return { value, text: undefined };
    if (!isRecord(value)) return { value, text: JSON.stringify(value) };
    const members = Object.entries(value).map(([key, member]) => ({ key, ...this.#share(member) }));
    return this.#part(
      Object.fromEntries(members.map((member) => [member.key, member.value])),
      textOf("{", members, ({ key, text }) => (text === undefined ? undefined : `${JSON.stringify(key)}:${text}`)),
    );
  }

  #part(value: unknown, text: string | undefined): Shared {
    return { value: text === undefined ? value : this.#known(text, value), text };
  }

  #known(text: string, value: unknown): unknown {
    const young = this.#young.get(text);
    if (young !== undefined) return young;
    const known = this.#old.get(text) ?? value;
    if (this.#young.size >= remembered) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(text, known);
    return known;
  }
}

/** Undefined when a part of it cannot be shared, or all of it is too long. */
function textOf<T>(open: "[" | "{", parts: readonly T[], textIn: (part: T) => string | undefined): string | undefined {
  let text: string = open;
  for (const part of parts) {
    const next = textIn(part);
    if (next === undefined || text.length + next.length > longestShared) return undefined;
    text += `${next},`;
  }
  return text;
}
