/** What the page asks back, and the table of its keys. Both are the browser's own dialogs: they keep the focus and Escape leaves them. */
import { make, placed } from "./make.js";

const keys = [
  ["↑ ↓", "in the list: one message up or down"],
  ["PageUp PageDown Home End", "in the list: a page, the newest, the oldest"],
  ["Enter", "open the message and go into it"],
  ["Esc", "back to the list; out of the search"],
  ["j k", "open the next older, the next newer message"],
  ["/", "search"],
  ["u", "mark as unread"],
  ["# or Delete", "delete the message (asks first)"],
  ["?", "this table"],
];

const question = placed("dialog", "question");
const table = placed("dialog", "keys");

/** Whether one of them is open: keys are theirs then. */
export function isAsking() {
  return question.open || table.open;
}

/**
 * Resolves with true when the person says yes; Escape is a no.
 * @param {string} text
 * @param {string} yes
 * @returns {Promise<boolean>}
 */
export function confirmed(text, yes) {
  placed("p", "questiontext").textContent = text;
  const button = placed("button", "yes");
  button.textContent = yes;
  question.returnValue = "no";
  question.showModal();
  button.focus();
  return new Promise((resolve) => {
    question.addEventListener("close", () => resolve(question.returnValue === "yes"), { once: true });
  });
}

export function showKeys() {
  if (!table.open) table.showModal();
}

export function openDialogs() {
  placed("button", "yes").addEventListener("click", () => question.close("yes"));
  placed("button", "no").addEventListener("click", () => question.close("no"));
  placed("button", "closekeys").addEventListener("click", () => table.close());
  const rows = keys.map(([names = "", what = ""]) =>
    make("tr", {}, make("th", { scope: "row" }, names), make("td", {}, what)),
  );
  table.querySelector("tbody")?.replaceChildren(...rows);
}
