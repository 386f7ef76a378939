/** The page: a list of messages, and one that is shown. */
/** @import { Behaviour, Detail, Outline } from "../shapes.ts" */
import { ask } from "./asking.js";
import { drawCounts } from "./counts.js";
import { attempt, markRead, markUnread, readAll, removeAll, removeOne } from "./deeds.js";
import { openDialogs, showKeys } from "./dialogs.js";
import { follow } from "./feed.js";
import { fits } from "./filter.js";
import { listenToKeys } from "./keys.js";
import { MessageList } from "./list.js";
import { make, placed } from "./make.js";
import { MessageView, welcome } from "./message.js";
import { followLinks, goBack, goTo, isNarrow, tryOut, wantedId } from "./place.js";
import { Search } from "./search.js";
import { subjectOf } from "./words.js";

/** @type {Map<string, Outline>} */
const messages = new Map();
/** @type {readonly Behaviour[]} */
let recipients = [];
/** What is shown now; undefined before the first look at the address. @type {{ readonly id: string | undefined } | undefined} */
let shown;
/** What the search left, the newest first. @type {readonly Outline[]} */
let wanted = [];
const field = placed("input", "filter");
const list = new MessageList();
const search = new Search(drawSoon);
const view = new MessageView((id) => {
  const message = messages.get(id);
  return message === undefined ? undefined : subjectOf(message);
});
const desk = {
  messages,
  wanted: () => wanted,
  isSearching: () => search.isOn,
  changed: drawSoon,
  readList,
};

let isDrawDue = false;
/** Once a frame, however many messages arrive. */
function drawSoon() {
  if (isDrawDue) return;
  isDrawDue = true;
  requestAnimationFrame(() => {
    isDrawDue = false;
    draw();
  });
}

function draw() {
  const all = [...messages.values()].sort((one, other) => (one.at < other.at ? 1 : one.at > other.at ? -1 : 0));
  wanted = search.isOn ? all.filter((message) => fits(message, search.wish, search.found)) : all;
  list.draw(wanted, shown?.id);
  drawCounts({ all, wanted, shown: messages.get(shown?.id ?? ""), search, leaveSearch });
  placed("button", "newer").disabled = list.from(shown?.id, -1) === shown?.id;
  placed("button", "older").disabled = list.from(shown?.id, 1) === shown?.id;
}

/**
 * `isOpening` is false when what is shown is only drawn anew.
 * @param {{ isOpening: boolean, mayFocus: boolean }} wish
 */
async function show(wish) {
  const id = wantedId();
  const last = shown;
  shown = { id };
  const isMessage = id !== undefined && id !== tryOut;
  document.body.dataset["view"] = id === undefined ? "list" : "message";
  document.body.dataset["shows"] = isMessage ? "message" : "help";
  placed("div", "bar").hidden = id === undefined;
  const isNew = last === undefined || last.id !== id;
  if (isNew) draw();
  if (isMessage) {
    await showMessage(id, wish);
    if (isNew) list.reveal(id);
    return;
  }
  view.say(`${messages.size === 0} ${recipients.length}`, () => welcome(messages.size === 0, recipients));
  if (isNew && id === undefined && last !== undefined && isNarrow()) list.focus(last.id);
  if (wish.mayFocus && id === tryOut) view.focus();
}

/**
 * @param {string} id
 * @param {{ isOpening: boolean, mayFocus: boolean }} wish
 */
async function showMessage(id, { isOpening, mayFocus }) {
  let detail;
  try {
    detail = /** @type {Detail} */ (await ask(`/api/messages/${encodeURIComponent(id)}`));
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    if (id === wantedId()) view.say(words, () => [make("h2", { tabIndex: -1 }, words)]);
    return;
  }
  if (id !== wantedId()) return;
  if (detail.id !== id) {
    // It turned out to be part of an older one.
    goTo(detail.id, "replace");
    shown = { id: detail.id };
    drawSoon();
  }
  view.draw(detail);
  if (mayFocus) view.focus();
  if (detail.unread && isOpening) void attempt(markRead(desk, detail.id));
}

let isShowDue = false;
function showSoon() {
  if (isShowDue) return;
  isShowDue = true;
  setTimeout(() => {
    isShowDue = false;
    void show({ isOpening: false, mayFocus: false });
  }, 60);
}

/** @param {string | undefined} id */
function open(id) {
  if (id !== wantedId()) goTo(id, "push");
  void show({ isOpening: true, mayFocus: true });
}

async function readList() {
  const read = /** @type {readonly Outline[]} */ (await ask("/api/messages"));
  messages.clear();
  for (const message of read) messages.set(message.id, message);
  search.refresh();
  draw();
  showSoon();
}

/** Back to the list: on a phone in its place, beside it otherwise. */
function back() {
  const id = shown?.id;
  if (!isNarrow() || id === undefined) list.focus(id === tryOut ? undefined : id);
  else if (!goBack()) leave();
}

/** No message is shown any more. */
function leave() {
  goTo(undefined, "replace");
  void show({ isOpening: true, mayFocus: false });
}

function leaveSearch() {
  field.value = "";
  search.set("");
  draw();
  list.focus();
}

function leaveEmptySearch() {
  if (search.isOn && wanted.length === 0) leaveSearch();
}

/** The next message is opened. Who goes through the list with it stays there. @param {number} by */
function step(by) {
  const isInList = list.focused !== undefined;
  const isFirst = shown?.id === undefined || shown.id === tryOut;
  const id = isFirst ? list.stop : list.from(shown?.id, by);
  if (id === undefined) return;
  goTo(id, isFirst ? "push" : "replace");
  void show({ isOpening: true, mayFocus: true }).then(() => {
    if (isInList && !isNarrow()) list.focus(id);
  });
}

/** The message that a key means: that of the row with the focus, else the one that is shown. */
function meant() {
  return messages.get(list.focused ?? shown?.id ?? "");
}

/** @param {Outline | undefined} message */
async function remove(message) {
  if (message === undefined) return;
  const { id } = message;
  const [after, before] = [list.from(id, 1), list.from(id, -1)];
  if (!(await removeOne(message))) return;
  messages.delete(id);
  if (shown?.id === id) leave();
  draw();
  list.focus(after === id ? before : after);
}

/** @param {Outline | undefined} message */
async function unread(message) {
  if (message === undefined) return;
  await markUnread(message.id);
  if (isNarrow()) back();
}

function listenToPerson() {
  listenToKeys({
    move: (by) => list.focus(list.focused === undefined && Number.isFinite(by) ? list.stop : list.from(list.stop, by)),
    page: () => list.page,
    step,
    back,
    remove: () => void attempt(remove(meant())),
    unread: () => void attempt(unread(meant())),
    search: () => field.select(),
    leaveSearch,
    toList: () => list.focus(),
    isListAhead: () => document.activeElement === document.body && !(isNarrow() && wantedId() !== undefined),
  });
  followLinks(open);
  addEventListener("popstate", () => void show({ isOpening: true, mayFocus: false }));
  field.addEventListener("input", () => search.set(field.value));
  /** @type {readonly (readonly [name: "a" | "button", id: string, deed: () => void])[]} */
  const deeds = [
    ["a", "skiptolist", () => (isNarrow() && wantedId() !== undefined ? back() : list.focus())],
    ["a", "skiptomessage", () => view.focus()],
    ["button", "back", back],
    ["button", "newer", () => step(-1)],
    ["button", "older", () => step(1)],
    ["button", "delete", () => void attempt(remove(messages.get(shown?.id ?? "")))],
    ["button", "readall", () => void attempt(readAll(desk))],
    ["button", "clear", () => void attempt(removeAll(desk).then(leaveEmptySearch))],
    ["button", "showkeys", showKeys],
  ];
  for (const [name, id, deed] of deeds) placed(name, id).addEventListener("click", deed);
}

function listenToServer() {
  const live = placed("span", "live");
  follow({
    live(isLive) {
      live.textContent = isLive ? "live" : "local mode is away";
      live.className = isLive ? "on" : "";
    },
    list: () => void attempt(readList()),
    message(message) {
      if (!messages.has(message.id)) placed("div", "news").textContent = `New message: ${subjectOf(message)}`;
      messages.set(message.id, message);
      search.refresh();
      drawSoon();
      if (message.id === shown?.id || messages.size === 1) showSoon();
    },
    gone(id) {
      messages.delete(id);
      drawSoon();
      if (id === shown?.id) showSoon();
    },
  });
}

// Countdowns to the next attempt.
setInterval(() => {
  if (wanted.some((message) => message.standing === "retrying")) drawSoon();
  if (messages.get(shown?.id ?? "")?.standing === "retrying") showSoon();
}, 1000);

openDialogs();
listenToPerson();
listenToServer();
void show({ isOpening: true, mayFocus: false });
void attempt(
  ask("/api/recipients").then((read) => {
    recipients = /** @type {readonly Behaviour[]} */ (read);
    showSoon();
  }),
);
