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

/** Whoever waits for the answer to the question that is open. @type {((isYes: boolean) => void) | undefined} */
let waiting;

/** @param {boolean} isYes */
function answer(isYes) {
  const resolve = waiting;
  waiting = undefined;
  question.close();
  resolve?.(isYes);
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
  question.showModal();
  button.focus();
  return new Promise((resolve) => {
    waiting = resolve;
  });
}

export function showKeys() {
  if (!table.open) table.showModal();
}

export function openDialogs() {
  placed("button", "yes").addEventListener("click", () => answer(true));
  placed("button", "no").addEventListener("click", () => answer(false));
  question.addEventListener("cancel", () => answer(false));
  // This comes a while after it closed: the next question may be open by then, and this is no answer to it.
  question.addEventListener("close", () => {
    if (!question.open) answer(false);
  });
  placed("button", "closekeys").addEventListener("click", () => table.close());
  const rows = keys.map(([names = "", what = ""]) =>
    make("tr", {}, make("th", { scope: "row" }, names), make("td", {}, what)),
  );
  table.querySelector("tbody")?.replaceChildren(...rows);
}
