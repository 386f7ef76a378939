/** Elements of the page. What a message holds goes in as text, and text is only ever text. */
/** @import { Outline } from "../shapes.ts" */
import { count, standingText, standingTone } from "./words.js";

/** @typedef {Node | string | undefined | null | false} Child */
/** @typedef {Child | readonly Children[]} Children */

/**
 * An element with properties (or attributes: `aria-…`, `role` and whatever has no property) and children.
 * @template {keyof HTMLElementTagNameMap} N
 * @param {N} name
 * @param {Readonly<Record<string, string | number | boolean | undefined>>} [properties]
 * @param {...Children} children
 * @returns {HTMLElementTagNameMap[N]}
 */
export function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [property, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    if (/^(?:aria-|role$|sandbox$)/.test(property)) element.setAttribute(property, String(value));
    else Reflect.set(element, property, value);
  }
  element.append(...flat(children));
  return element;
}

/**
 * @param {readonly Children[]} children
 * @returns {(Node | string)[]}
 */
export function flat(children) {
  return children.flatMap((child) => {
    if (child === undefined || child === null || child === false || child === "") return [];
    if (typeof child === "string" || child instanceof Node) return [child];
    return flat(child);
  });
}

/**
 * @param {string} text
 * @param {string} [tone]
 * @param {string} [title]
 */
export function mark(text, tone = "plain", title = "") {
  return make("span", { className: `mark ${tone}`, title }, text);
}

/**
 * How a message stands, as the list and its head show it.
 * @param {Outline} message
 * @param {number} now
 */
export function marksOf(message, now) {
  const { dkim, attachments, attempts, isNotice, about } = message;
  const isDull = isNotice && standingTone(message) === "plain";
  return flat([
    isNotice && mark("notice", "warning", "a delivery status notification"),
    isNotice && about?.action !== undefined && mark(about.action, about.action === "failed" ? "bad" : "warning"),
    !isDull && mark(standingText(message, now), standingTone(message), message.reply),
    dkim !== undefined && mark(`DKIM ${dkim}`, dkim === "pass" ? "good" : dkim === "none" ? "plain" : "bad"),
    attachments > 0 && mark(count(attachments, "file"), "plain", "attachments"),
    attempts > 1 && mark(`${attempts} attempts`),
  ]);
}

/**
 * The element of that id, which page.html holds.
 * @template {keyof HTMLElementTagNameMap} N
 * @param {N} name
 * @param {string} id
 * @returns {HTMLElementTagNameMap[N]}
 */
export function placed(name, id) {
  const found = document.querySelector(`${name}#${id}`);
  if (found === null) throw new Error(`the page has no ${name} with id ${id}`);
  return /** @type {HTMLElementTagNameMap[N]} */ (found);
}

/**
 * A list that is folded in the middle: `what` names what is folded away.
 * @param {string} name under which an opened fold is known when it is drawn anew
 * @param {string} what
 * @param {...Children} children
 */
export function fold(name, what, ...children) {
  const details = make("details", { className: "fold" }, make("summary", {}, what), ...children);
  details.dataset["fold"] = name;
  return details;
}
