/** Keys by a value that they have in common. Most values belong to one key alone, which then costs no set of its own. */
export class KeyIndex {
  readonly #keys = new Map<string, string | Set<string>>();

  /** In the order of the keys. */
  find(value: string): readonly string[] {
    const keys = this.#keys.get(value);
    if (keys === undefined) return [];
    return typeof keys === "string" ? [keys] : [...keys].sort();
  }

  has(value: string): boolean {
    return this.#keys.has(value);
  }

  add(value: string, key: string): void {
    const keys = this.#keys.get(value);
    if (keys === undefined) this.#keys.set(value, key);
    else if (typeof keys !== "string") keys.add(key);
    else if (keys !== key) this.#keys.set(value, new Set([keys, key]));
  }

  delete(value: string, key: string): void {
    const keys = this.#keys.get(value);
    if (keys === undefined) return;
    if (typeof keys === "string") {
      if (keys === key) this.#keys.delete(value);
      return;
    }
    keys.delete(key);
    if (keys.size === 0) this.#keys.delete(value);
  }
}
