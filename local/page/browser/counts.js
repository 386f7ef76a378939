/** What the frame of the page says: how many messages, how many the search left, what its buttons would do. */
/** @import { Outline } from "../shapes.ts" */
/** @import { Search } from "./search.js" */
import { make, placed } from "./make.js";
import { count, subjectOf } from "./words.js";

/**
 * @typedef {object} Sums
 * @property {readonly Outline[]} all
 * @property {readonly Outline[]} wanted
 * @property {Outline | undefined} shown
 * @property {Search} search
 * @property {() => void} leaveSearch
 */

/** @param {Sums} sums */
export function drawCounts(sums) {
  const { all, wanted, shown, search } = sums;
  const unread = all.filter((message) => message.unread).length;
  placed("span", "count").textContent = search.isOn
    ? `${wanted.length}${search.isPending ? " or more" : ""} of ${all.length}`
    : `${count(all.length, "message")}${unread > 0 ? `, ${unread} unread` : ""}`;
  document.title = `${unread > 0 ? `(${unread}) ` : ""}${shown === undefined ? "" : `${subjectOf(shown)} · `}Mailboat`;
  drawButton("clear", search.isOn ? `Delete these ${wanted.length}` : "Delete all", wanted.length > 0);
  drawButton(
    "readall",
    search.isOn ? "Mark these read" : "Mark all read",
    wanted.some((message) => message.unread),
  );
  drawNothing(sums);
}

/**
 * @param {string} id
 * @param {string} text
 * @param {boolean} isOfUse
 */
function drawButton(id, text, isOfUse) {
  const button = placed("button", id);
  button.textContent = text;
  button.disabled = !isOfUse;
}

/** What stands in the list's place when it is empty. @param {Sums} sums */
function drawNothing({ all, wanted, search, leaveSearch }) {
  const place = placed("div", "nothing");
  const text = wanted.length > 0 ? "" : nothingText(all.length, search);
  place.hidden = text === "";
  if (place.dataset["text"] === text) return;
  place.dataset["text"] = text;
  const button = make("button", { type: "button" }, "Show all messages");
  button.addEventListener("click", leaveSearch);
  const hint = [" ", make("code", {}, "make demo"), " sends a handful."];
  place.replaceChildren(make("p", {}, text, all.length === 0 && hint), all.length > 0 && text !== "" ? button : "");
}

/**
 * @param {number} all
 * @param {Search} search
 */
function nothingText(all, search) {
  if (all === 0) return "No message yet.";
  return search.isPending ? "Searching …" : `No message matches “${search.text}”.`;
}
