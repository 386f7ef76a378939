/**
 * Which messages a person asked for. What stands in the list is matched here at once; the words of headers and bodies
 * are the server's to find. Pure.
 */
/** @import { Outline } from "../shapes.ts" */
import { peopleOf, subjectOf } from "./words.js";

/**
 * @typedef {object} Wish
 * @property {readonly string[]} words in lower case; each must be there
 * @property {readonly string[]} marks `is:…` and `has:…`
 */

/**
 * @param {string} text
 * @returns {Wish}
 */
export function readWish(text) {
  const all = text.toLowerCase().split(/\s+/).filter(Boolean);
  const isMark = (/** @type {string} */ word) => /^(?:is|has):./.test(word);
  return { words: all.filter((word) => !isMark(word)), marks: all.filter(isMark) };
}

/** @param {Wish} wish */
export function isEmpty(wish) {
  return wish.words.length === 0 && wish.marks.length === 0;
}

/**
 * `found` are the ids of those in whose header or text the server found all words.
 * @param {Outline} message
 * @param {Wish} wish
 * @param {ReadonlySet<string>} found
 */
export function fits(message, wish, found) {
  if (!wish.marks.every((mark) => hasMark(message, mark))) return false;
  if (found.has(message.id)) return true;
  const text = [subjectOf(message), message.from, ...message.to, message.standing, peopleOf(message)]
    .join(" ")
    .toLowerCase();
  return wish.words.every((word) => text.includes(word));
}

/**
 * @param {Outline} message
 * @param {string} mark
 */
function hasMark(message, mark) {
  switch (mark) {
    case "is:unread":
      return message.unread;
    case "is:read":
      return !message.unread;
    case "is:notice":
      return message.isNotice;
    case "has:file":
    case "has:attachment":
      return message.attachments > 0;
    default:
      // `is:partly` is enough for "partly bounced", and `is:bounced` finds both.
      return mark.startsWith("is:") && message.standing.split(" ").includes(mark.slice(3));
  }
}
