/** Which key does what. The arrows belong to the list while it has the focus; elsewhere they scroll as everywhere. */
import { isAsking, showKeys } from "./dialogs.js";

/**
 * @typedef {object} Deeds what keys ask for
 * @property {(by: number) => void} move the focus within the list, by rows
 * @property {() => number} page rows of a page
 * @property {(by: number) => void} step to the next message and open it
 * @property {() => void} back
 * @property {() => void} remove
 * @property {() => void} unread
 * @property {() => void} search
 * @property {() => void} leaveSearch
 * @property {() => void} toList
 * @property {() => boolean} isListAhead whether the list is seen and nothing else has the focus
 */

/** @param {Deeds} deeds */
export function listenToKeys(deeds) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isAsking()) return;
    const deed = deedOf(event, deeds);
    if (deed === undefined) return;
    event.preventDefault();
    deed();
  });
}

/**
 * @param {KeyboardEvent} event
 * @param {Deeds} deeds
 * @returns {(() => void) | undefined}
 */
function deedOf({ key, target }, deeds) {
  if (!(target instanceof Element)) return undefined;
  if (target.closest("input") !== null) return inSearch(key, deeds);
  const isInList = target.closest("#list li") !== null || deeds.isListAhead();
  return (isInList ? inList(key, deeds) : undefined) ?? anywhere(key, deeds);
}

/**
 * @param {string} key
 * @param {Deeds} deeds
 */
function inSearch(key, deeds) {
  if (key === "Escape") return deeds.leaveSearch;
  return key === "Enter" || key === "ArrowDown" ? deeds.toList : undefined;
}

/**
 * @param {string} key
 * @param {Deeds} deeds
 */
function inList(key, { move, page }) {
  switch (key) {
    case "ArrowDown":
      return () => move(1);
    case "ArrowUp":
      return () => move(-1);
    case "PageDown":
      return () => move(page());
    case "PageUp":
      return () => move(-page());
    case "Home":
      return () => move(-Infinity);
    case "End":
      return () => move(Infinity);
    default:
      return undefined;
  }
}

/**
 * @param {string} key
 * @param {Deeds} deeds
 */
function anywhere(key, { step, back, remove, unread, search }) {
  switch (key) {
    case "j":
      return () => step(1);
    case "k":
      return () => step(-1);
    case "Escape":
      return back;
    case "#":
    case "Delete":
      return remove;
    case "u":
      return unread;
    case "/":
      return search;
    case "?":
      return showKeys;
    default:
      return undefined;
  }
}
