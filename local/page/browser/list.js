/**
 * The list of messages. One row of it is a stop of the Tab key; the arrows go on from there. Rows are kept as long as
 * their messages are: what has the focus keeps it, whatever arrives meanwhile.
 */
/** @import { Outline } from "../shapes.ts" */
import { make, marksOf, placed } from "./make.js";
import { dayAndClock, peopleOf, standingText, subjectOf, wholeDate } from "./words.js";

/**
 * @typedef {object} Row
 * @property {HTMLLIElement} item
 * @property {HTMLAnchorElement} link
 * @property {string} stamp what it was drawn from
 */

export class MessageList {
  #room = placed("section", "list");
  #list;
  /** @type {Map<string, Row>} */
  #rows = new Map();
  /** Ids as they stand, the newest first. @type {readonly string[]} */
  #order = [];
  /** The row that Tab comes to. @type {string | undefined} */
  #stop;

  constructor() {
    this.#list = make("ol");
    this.#room.querySelector("ol")?.replaceWith(this.#list);
    this.#list.addEventListener("focusin", ({ target }) => {
      if (target instanceof HTMLAnchorElement) this.#moveStop(idOf(target));
    });
  }

  /**
   * @param {readonly Outline[]} wanted the newest first
   * @param {string | undefined} current
   */
  draw(wanted, current) {
    const now = Date.now();
    const before = this.#order;
    this.#order = wanted.map(({ id }) => id);
    for (const message of wanted) this.#drawRow(message, message.id === current, now);
    const kept = new Set(this.#order);
    const hadFocus = this.focused;
    for (const [id, { item }] of this.#rows) {
      if (kept.has(id)) continue;
      item.remove();
      this.#rows.delete(id);
    }
    this.#order.forEach((id, index) => {
      const item = this.#rows.get(id)?.item;
      const there = this.#list.children[index];
      if (item !== undefined && item !== there) this.#list.insertBefore(item, there ?? null);
    });
    this.#moveStop(this.#stopAfter(before, kept, current));
    if (hadFocus !== undefined && !kept.has(hadFocus)) this.focus();
  }

  /** Id of the row that has the focus. */
  get focused() {
    const link = document.activeElement?.closest("#list a");
    return link instanceof HTMLAnchorElement ? idOf(link) : undefined;
  }

  /** The row that has the focus or would get it. */
  get stop() {
    return this.#stop;
  }

  get isEmpty() {
    return this.#order.length === 0;
  }

  /** Sets the focus on that row, or on the one where it was last. @param {string} [id] */
  focus(id) {
    const row = this.#rows.get(id ?? this.#stop ?? "") ?? this.#rows.get(this.#order[0] ?? "");
    row?.link.focus({ preventScroll: true });
    row?.item.scrollIntoView({ block: "nearest" });
  }

  /** @param {string} id */
  reveal(id) {
    this.#rows.get(id)?.item.scrollIntoView({ block: "nearest" });
  }

  /**
   * The message `by` rows further down; at the ends the last one. Undefined when there is none.
   * @param {string | undefined} id
   * @param {number} by
   */
  from(id, by) {
    const now = id === undefined ? -1 : this.#order.indexOf(id);
    const index = Math.max(0, Math.min(this.#order.length - 1, now < 0 ? 0 : now + by));
    return this.#order[index];
  }

  /** Rows that are seen at once, less one to go by. */
  get page() {
    const height = this.#list.firstElementChild?.clientHeight ?? 0;
    return height === 0 ? 1 : Math.max(1, Math.floor(this.#room.clientHeight / height) - 1);
  }

  /** The focus stays near where it was when its row goes. @param {readonly string[]} before @param {ReadonlySet<string>} kept @param {string | undefined} current */
  #stopAfter(before, kept, current) {
    if (this.#stop !== undefined && kept.has(this.#stop)) return this.#stop;
    const at = this.#stop === undefined ? -1 : before.indexOf(this.#stop);
    const next =
      at < 0
        ? undefined
        : (before.slice(at).find((id) => kept.has(id)) ?? before.slice(0, at).findLast((id) => kept.has(id)));
    return next ?? (current !== undefined && kept.has(current) ? current : this.#order[0]);
  }

  /** @param {string | undefined} id */
  #moveStop(id) {
    if (id === this.#stop && this.#rows.get(id ?? "")?.link.tabIndex === 0) return;
    const old = this.#rows.get(this.#stop ?? "");
    if (old !== undefined) old.link.tabIndex = -1;
    const row = this.#rows.get(id ?? "");
    if (row !== undefined) row.link.tabIndex = 0;
    this.#stop = id;
  }

  /**
   * @param {Outline} message
   * @param {boolean} isCurrent
   * @param {number} now
   */
  #drawRow(message, isCurrent, now) {
    const stamp = JSON.stringify([message, isCurrent, standingText(message, now), dayAndClock(message.at, now)]);
    const known = this.#rows.get(message.id);
    if (known?.stamp === stamp) return;
    const link = known?.link ?? make("a", { href: `#${encodeURIComponent(message.id)}`, tabIndex: -1 });
    const item = known?.item ?? make("li", {}, link);
    link.classList.toggle("unread", message.unread);
    link.classList.toggle("gone", message.gone);
    if (isCurrent) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
    link.replaceChildren(
      make(
        "span",
        { className: "subject" },
        message.unread && make("span", { className: "unseen" }, "Unread: "),
        subjectOf(message),
      ),
      make("time", { dateTime: message.at, title: wholeDate(message.at) }, dayAndClock(message.at, now)),
      make("span", { className: "people" }, peopleOf(message)),
      make(
        "span",
        { className: "marks" },
        marksOf(message, now),
        message.gone && make("span", { className: "mark" }, "deleted from disk"),
      ),
    );
    this.#rows.set(message.id, { item, link, stamp });
  }
}

/** @param {HTMLAnchorElement} link */
function idOf(link) {
  return decodeURIComponent(link.hash.slice(1));
}
