/** What a person does with messages: reading marks, deletion. Each is the server's to carry out, and asks first when it cannot be undone. */
/** @import { Outline } from "../shapes.ts" */
import { change, Refusal } from "./asking.js";
import { confirmed } from "./dialogs.js";
import { placed } from "./make.js";
import { count, subjectOf } from "./words.js";

/**
 * @typedef {object} Desk what lies before the person
 * @property {Map<string, Outline>} messages
 * @property {() => readonly Outline[]} wanted what the search left
 * @property {() => boolean} isSearching
 * @property {() => void} changed
 * @property {() => Promise<void>} readList
 */

/** @param {string} text */
export function say(text) {
  const place = placed("div", "said");
  place.textContent = text;
  place.classList.add("on");
  setTimeout(() => {
    if (place.textContent === text) place.classList.remove("on");
  }, 8000);
}

/** What cannot be done is said in the server's words. @param {Promise<unknown>} deed */
export async function attempt(deed) {
  try {
    await deed;
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
  }
}

/** @param {string} id */
function addressOf(id) {
  return `/api/messages/${encodeURIComponent(id)}`;
}

/** @param {Desk} desk @param {string} id */
export async function markRead({ messages, changed }, id) {
  const message = messages.get(id);
  if (message !== undefined) messages.set(id, { ...message, unread: false });
  changed();
  await change("POST", `${addressOf(id)}/read`);
}

/** @param {string} id */
export async function markUnread(id) {
  await change("POST", `${addressOf(id)}/unread`);
}

/** All of them, or all that the search left. @param {Desk} desk */
export async function readAll(desk) {
  const chosen = desk.wanted().filter((message) => message.unread);
  if (desk.isSearching()) for (const { id } of chosen) await markRead(desk, id);
  else await change("POST", "/api/messages/read");
  await desk.readList();
}

/**
 * Resolves with false when the person keeps it.
 * @param {Outline} message
 */
export async function removeOne(message) {
  const subject = `“${subjectOf(message)}”`;
  if (!(await confirmed(`Delete ${subject}? Its files go, too.`, "Delete"))) return false;
  await change("DELETE", addressOf(message.id));
  say(`${subject} is deleted.`);
  return true;
}

/**
 * All of them, or all that the search left. What waits in a spool stays: it is mail that is under way.
 * @param {Desk} desk
 */
export async function removeAll(desk) {
  const chosen = desk.wanted();
  const isSearch = desk.isSearching();
  const what = isSearch
    ? `the ${count(chosen.length, "message")} found`
    : `all messages, ${chosen.length} now and any that arrive until you answer`;
  if (!(await confirmed(`Delete ${what}? Their files go, too; what waits in a spool stays.`, "Delete"))) return;
  const { deleted, waiting } = isSearch ? await removeEach(chosen) : await removeEverything();
  await desk.readList();
  say(`${count(deleted, "message")} deleted${waiting > 0 ? `; ${waiting} waiting in a spool stayed` : ""}.`);
}

async function removeEverything() {
  return /** @type {{ deleted: number, waiting: number }} */ (await change("DELETE", "/api/messages"));
}

/**
 * What somebody else deleted meanwhile is no failure, and not ours to count.
 * @param {readonly Outline[]} chosen
 */
async function removeEach(chosen) {
  let [deleted, waiting] = [0, 0];
  for (const { id } of chosen) {
    const status = await change("DELETE", addressOf(id)).then(() => 200, refusedWith);
    if (status === 200) deleted += 1;
    if (status === 409) waiting += 1;
  }
  return { deleted, waiting };
}

/** 404 or 409; whatever else goes wrong ends the deed. @param {unknown} error */
function refusedWith(error) {
  if (error instanceof Refusal && (error.status === 404 || error.status === 409)) return error.status;
  throw error;
}
