/** What a message holds, part by part, in tabs. */
/** @import { Content, Copy, Detail, Held } from "../shapes.ts" */
import { askText } from "./asking.js";
import { flat, make, mark } from "./make.js";
import { previewOf } from "./preview.js";
import { copyTitle, size } from "./words.js";

/** @typedef {import("./make.js").Children} Children */
/** @typedef {() => Children | Promise<Children>} Panel */
/**
 * @typedef {object} Shown one message as it lies somewhere
 * @property {string} title
 * @property {string} base address below which its source and its parts are
 * @property {string} fileName for who saves it
 * @property {number} sizeBytes
 * @property {Content | null} content
 * @property {string | null | undefined} note why there is no content
 * @property {Copy | undefined} copy
 */

const shownCharacters = 500_000;
const openTypes = ["image/png", "image/jpeg", "image/gif", "image/webp", "text/plain"];

/** Name of the tab that a person chose last, without a number behind it. */
let chosen = "Message";
let sections = 0;

/**
 * One section for each copy; one for what nobody has taken yet.
 * @param {Detail} detail
 */
export function contentsOf(detail) {
  const shown = detail.copies.map((copy, index) => copyOf(copy, copyTitle(copy, index, detail.copies.length)));
  if (shown.length === 0 && detail.held) return [sectionOf(heldOf(detail, detail.held))];
  return shown.map(sectionOf);
}

/** @param {Copy} copy @param {string} title @returns {Shown} */
function copyOf(copy, title) {
  const { file, sizeBytes, content, note } = copy;
  return { title, base: `/messages/${encodeURIComponent(file)}`, fileName: file, sizeBytes, content, note, copy };
}

/** @param {Detail} detail @param {Held} held @returns {Shown} */
function heldOf({ id }, { sizeBytes, content, note }) {
  const base = `/api/messages/${encodeURIComponent(id)}`;
  return { title: note, base, fileName: `${id}.eml`, sizeBytes, content, note: undefined, copy: undefined };
}

/** @param {Shown} shown */
function sectionOf(shown) {
  const tabs = tabsOf(shown);
  sections += 1;
  const name = `tabs${sections}`;
  const panel = make("div", { role: "tabpanel", id: `${name}panel`, tabIndex: 0 });
  const bar = make("div", { className: "tabs", role: "tablist", "aria-label": "Parts of the message" });
  const buttons = [...tabs.keys()].map((title, index) =>
    make("button", { type: "button", role: "tab", id: `${name}tab${index}`, "aria-controls": panel.id }, title),
  );
  let drawn = 0;
  const choose = async (/** @type {HTMLButtonElement | undefined} */ button) => {
    for (const one of buttons) {
      one.setAttribute("aria-selected", String(one === button));
      one.tabIndex = one === button ? 0 : -1;
    }
    if (button === undefined) return;
    panel.setAttribute("aria-labelledby", button.id);
    drawn += 1;
    const number = drawn;
    const children = await readPanel(tabs.get(button.textContent));
    if (number === drawn) panel.replaceChildren(...children);
  };
  const pick = (/** @type {HTMLButtonElement | undefined} */ button) => {
    chosen = plainName(button?.textContent ?? "");
    button?.focus();
    void choose(button);
  };
  for (const button of buttons) button.addEventListener("click", () => pick(button));
  bar.addEventListener("keydown", (event) => {
    const now = buttons.findIndex((button) => button.tabIndex === 0);
    const next = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: -1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    pick(buttons.at(next % buttons.length));
  });
  bar.append(...buttons);
  void choose(buttons.find((button) => plainName(button.textContent) === chosen) ?? buttons[0]);
  return make("section", { className: "copy" }, make("h3", {}, shown.title), bar, panel);
}

/** @param {string} title */
function plainName(title) {
  return title.replace(/ \(\d+\)$/, "");
}

/** What goes wrong is said where the part would stand. @param {Panel | undefined} panel */
async function readPanel(panel) {
  try {
    return flat([await panel?.()]);
  } catch (error) {
    return [make("p", {}, error instanceof Error ? error.message : String(error))];
  }
}

/**
 * Title of a tab -> what it holds, for those that this message has.
 * @param {Shown} shown
 * @returns {ReadonlyMap<string, Panel>}
 */
function tabsOf(shown) {
  const { content, copy, base } = shown;
  /** @type {Map<string, Panel>} */
  const tabs = new Map();
  if (content === null) return tabs.set("Message", () => make("p", {}, shown.note ?? "Its file is gone."));
  const text = () => [
    content.text !== undefined && content.text.trim() !== "" && make("pre", {}, content.text),
    content.note ? make("p", { className: "soft" }, content.note) : undefined,
    (content.text ?? "").trim() === "" &&
      !content.note &&
      make("p", { className: "soft" }, "This message has no text."),
  ];
  tabs.set("Message", content.hasHtml ? () => previewOf(content, `${base}/html`) : text);
  if (content.hasHtml && content.text !== undefined) tabs.set("Text", text);
  if (content.parts.length > 0) tabs.set(`Attachments (${content.parts.length})`, () => partsOf(content, base));
  if (copy !== undefined) tabs.set("DKIM", () => signaturesOf(copy));
  tabs.set("Headers", () => headersOf(content));
  tabs.set("Source", () => sourceOf(shown));
  return tabs;
}

/** @param {Content} content */
function headersOf({ headers }) {
  return make(
    "table",
    { className: "plain headers" },
    make(
      "tbody",
      {},
      headers.map(({ name, value }) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, value))),
    ),
  );
}

/** @param {Copy} copy */
function signaturesOf({ signatures }) {
  if (signatures.length === 0) return make("p", {}, "This message carries no DKIM signature.");
  return table(
    ["Verdict", "Domain", "Selector", "Algorithm", "Remark"],
    signatures.map(({ result, domain, selector, algorithm, comment }) => [
      mark(result, result === "pass" ? "good" : "bad"),
      domain,
      selector,
      algorithm,
      comment ?? "",
    ]),
  );
}

/**
 * @param {readonly string[]} titles
 * @param {readonly (readonly Children[])[]} rows
 */
function table(titles, rows) {
  const head = titles.map((title) => make("th", { scope: "col" }, title));
  const cells = (/** @type {readonly Children[]} */ row) => row.map((cell) => make("td", {}, cell));
  return make(
    "table",
    { className: "plain" },
    make("thead", {}, make("tr", {}, head)),
    make(
      "tbody",
      {},
      rows.map((row) => make("tr", {}, cells(row))),
    ),
  );
}

/**
 * @param {Content} content
 * @param {string} base
 */
function partsOf({ parts }, base) {
  return make(
    "table",
    { className: "plain" },
    make(
      "tbody",
      {},
      parts.map(({ name, type, sizeBytes }, index) => {
        const address = `${base}/parts/${index}`;
        const open = make("a", { href: `${address}?show`, target: "_blank", rel: "noopener" }, "open");
        return make(
          "tr",
          {},
          make("th", { scope: "row" }, name),
          make("td", {}, type),
          make("td", {}, size(sizeBytes)),
          make(
            "td",
            {},
            openTypes.includes(type) && [open, " · "],
            make("a", { href: address, download: name }, "save"),
          ),
        );
      }),
    ),
  );
}

/** @param {Shown} shown */
async function sourceOf({ base, fileName, sizeBytes }) {
  const path = `${base}/source`;
  const text = await askText(path);
  const isLong = text.length > shownCharacters;
  return [
    make("p", {}, make("a", { href: `${path}?save`, download: fileName }, "Save as a file"), ` · ${size(sizeBytes)}`),
    make("pre", {}, text.slice(0, shownCharacters), isLong && "\n… the rest is in the file"),
  ];
}
