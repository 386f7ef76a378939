/** What the server finds for the words that stand in the field: asked a moment after the last key, one answer at a time. */
import { ask } from "./asking.js";
import { isEmpty, readWish } from "./filter.js";

const patienceMs = 150;

export class Search {
  /** Ids of messages in whose header or text all words are. @type {ReadonlySet<string>} */
  found = new Set();
  /** The server has not answered for what stands in the field. */
  isPending = false;
  wish = readWish("");
  text = "";
  #asked = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #changed;

  /** @param {() => void} changed */
  constructor(changed) {
    this.#changed = changed;
  }

  get isOn() {
    return !isEmpty(this.wish);
  }

  /** @param {string} text */
  set(text) {
    this.text = text.trim();
    this.wish = readWish(text);
    this.found = new Set();
    this.#plan();
    this.#changed();
  }

  /** Messages came or went. */
  refresh() {
    if (this.isOn && this.#timer === undefined) this.#plan();
  }

  #plan() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#asked += 1;
    this.isPending = this.wish.words.length > 0;
    if (this.isPending) this.#timer = setTimeout(() => void this.#ask(this.#asked), patienceMs);
  }

  /** @param {number} number */
  async #ask(number) {
    this.#timer = undefined;
    const answer = await ask(`/api/messages?search=${encodeURIComponent(this.wish.words.join(" "))}`).catch(() => []);
    // Another word was typed meanwhile.
    if (number !== this.#asked) return;
    this.isPending = false;
    this.found = new Set(Array.isArray(answer) ? answer.map(({ id }) => String(id)) : []);
    this.#changed();
  }
}
