/**
 * The message that is shown: what it is, what it holds, then what became of it. While it is shown it is drawn anew piece
 * by piece: a frame is not loaded twice, an opened fold stays open, the focus stays where it is.
 */
/** @import { Behaviour, Detail } from "../shapes.ts" */
import { contentsOf } from "./content.js";
import { hopsOf, stepsOf } from "./hops.js";
import { fold, make, marksOf, placed } from "./make.js";
import { fieldOf, namesOf, recipientKinds, size, subjectOf, wholeDate } from "./words.js";

/** A longer list of recipients is folded to its first ones. */
const shownRecipients = 4;
const firstRecipients = 3;

export class MessageView {
  #room = placed("div", "message");
  /** Id of the message that is drawn, or what is said in its place. @type {string | undefined} */
  #id;
  /** Name of a piece -> what it was drawn from, and the elements. @type {Map<string, { stamp: string, nodes: readonly Node[] }>} */
  #pieces = new Map();
  #subjectOf;

  /** @param {(id: string) => string | undefined} subjectOfId */
  constructor(subjectOfId) {
    this.#subjectOf = subjectOfId;
  }

  /** @param {Detail} detail */
  draw(detail) {
    if (this.#id !== detail.id) this.#clear(detail.id);
    const now = Date.now();
    const marks = marksOf(detail, now);
    const words = marks.map((one) => (one instanceof Node ? one.textContent : one)).join(" ");
    this.#piece("subject", [subjectOf(detail)], () => [make("h2", { tabIndex: -1 }, subjectOf(detail))]);
    this.#piece("head", [words, detail.reply, detail.noticeOf], () => [this.#headOf(detail, marks)]);
    const people = [detail.to, detail.copies.map(({ content }) => content?.headers), detail.held?.content.headers];
    this.#piece("people", people, () => [peopleOf(detail)]);
    this.#piece("content", [detail.copies, detail.held], () => contentsOf(detail));
    this.#piece("steps", detail.steps, () => list(stepsOf(detail, (id) => this.#linkTo(id))));
    this.#piece("hops", detail.traces, () => list(hopsOf(detail)));
  }

  /**
   * What there is to say when no message can be shown; the same is not said twice.
   * @param {string} stamp
   * @param {() => readonly Node[]} draw
   */
  say(stamp, draw) {
    if (this.#id === `: ${stamp}`) return;
    this.#clear(`: ${stamp}`);
    this.#room.append(...draw());
  }

  focus() {
    this.#room.querySelector("h2")?.focus({ preventScroll: true });
  }

  /** @param {string} id */
  #clear(id) {
    this.#id = id;
    this.#pieces.clear();
    this.#room.replaceChildren();
    this.#room.parentElement?.scrollTo(0, 0);
  }

  /**
   * Pieces come in the order in which they are first drawn; one that is empty keeps its place by a mark.
   * @param {string} name
   * @param {unknown} facts
   * @param {() => readonly Node[]} draw
   */
  #piece(name, facts, draw) {
    const stamp = JSON.stringify([facts]);
    const known = this.#pieces.get(name);
    if (known?.stamp === stamp) return;
    const drawn = draw();
    const nodes = drawn.length === 0 ? [document.createComment(name)] : drawn;
    if (known === undefined) this.#room.append(...nodes);
    else this.#exchange(known.nodes, nodes);
    this.#pieces.set(name, { stamp, nodes });
  }

  /**
   * @param {readonly Node[]} old
   * @param {readonly Node[]} nodes
   */
  #exchange(old, nodes) {
    const open = new Set(foldsOf(old).flatMap((details) => (details.open ? [details.dataset["fold"]] : [])));
    const hadFocus = old.some((node) => node.contains(document.activeElement));
    for (const node of nodes) this.#room.insertBefore(node, old[0] ?? null);
    for (const node of old) this.#room.removeChild(node);
    for (const details of foldsOf(nodes)) details.open = open.has(details.dataset["fold"]);
    if (hadFocus) this.focus();
  }

  /** @param {Detail} detail @param {readonly (Node | string)[]} marks */
  #headOf(detail, marks) {
    const { noticeOf, reply } = detail;
    return make(
      "div",
      { className: "head" },
      [...marks],
      noticeOf !== undefined && make("span", {}, "notice of ", this.#linkTo(noticeOf.id)),
      reply !== undefined && reply !== "" && make("span", { className: "soft" }, `last reply: ${reply}`),
    );
  }

  /** @param {string} id */
  #linkTo(id) {
    return make("a", { href: `#${encodeURIComponent(id)}` }, this.#subjectOf(id) ?? id);
  }
}

/** @param {Node | undefined} node */
function list(node) {
  return node === undefined ? [] : [node];
}

/** @param {readonly Node[]} nodes */
function foldsOf(nodes) {
  return nodes.flatMap((node) => (node instanceof Element ? [...node.querySelectorAll("details")] : []));
}

/** From, To, Cc, who got a blind copy, when. @param {Detail} detail */
function peopleOf(detail) {
  const headers =
    detail.copies.find(({ content }) => content !== null)?.content?.headers ?? detail.held?.content.headers ?? [];
  const { to, cc, bcc } = recipientKinds(detail.to, headers);
  const from = fieldOf(headers, "from");
  const isOther = from !== undefined && !from.toLowerCase().includes(detail.from.toLowerCase());
  const envelope = detail.from === "" ? "<>" : detail.from;
  /** @type {readonly (readonly [title: string, value: Node | string | undefined, hint?: string])[]} */
  const rows = [
    ["From", from ?? envelope],
    ["Envelope from", isOther || detail.from === "" ? envelope : undefined, "where notices of failures go (MAIL FROM)"],
    ["To", to.length > 0 ? addressesOf("to", to) : onlyNamed(fieldOf(headers, "to"))],
    ["Cc", addressesOf("cc", cc)],
    ["Bcc", addressesOf("bcc", bcc), "got it, and is named neither in To nor in Cc"],
    ["Date", wholeDate(detail.at)],
    ["Size", detail.sizeBytes === undefined || detail.sizeBytes === 0 ? undefined : size(detail.sizeBytes)],
  ];
  return make(
    "dl",
    { className: "envelope" },
    rows.flatMap(([title, value, hint]) =>
      value === undefined || value === "" ? [] : [make("dt", { title: hint ?? "" }, title), make("dd", {}, value)],
    ),
  );
}

/** A list's address, for example: it stands in To and nobody sent it there. @param {string | undefined} field */
function onlyNamed(field) {
  return field === undefined ? undefined : `${field} (in the header only)`;
}

/**
 * @param {string} name
 * @param {readonly string[]} addresses
 */
function addressesOf(name, addresses) {
  if (addresses.length <= shownRecipients) return addresses.join(", ");
  const rest = addresses.slice(firstRecipients);
  return make(
    "div",
    {},
    namesOf(addresses.slice(0, firstRecipients), firstRecipients),
    fold(name, `and ${rest.length} more`, rest.join(", ")),
  );
}

/**
 * What stands there while no message is chosen.
 * @param {boolean} isEmpty
 * @param {readonly Behaviour[]} recipients
 */
export function welcome(isEmpty, recipients) {
  const rows = recipients.map(({ localPart, does }) =>
    make("tr", {}, make("th", { scope: "row" }, make("code", {}, `${localPart}@`)), make("td", {}, does)),
  );
  return [
    make("h2", { tabIndex: -1 }, isEmpty ? "No message yet" : "Choose a message"),
    make(
      "section",
      { className: "welcome" },
      make("p", {}, "The terminal shows lines that send one; ", make("code", {}, "make demo"), " sends a handful."),
      make("p", {}, "It appears here at once, with its hops, its signatures and what became of it."),
      make("p", {}, make("kbd", {}, "?"), " shows the keys."),
    ),
    make(
      "section",
      {},
      make("h3", {}, "Recipients that behave as they are called, at any domain"),
      make("table", { className: "plain" }, make("tbody", {}, rows)),
    ),
  ];
}
