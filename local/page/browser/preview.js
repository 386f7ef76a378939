/** A message's HTML as a mail client would show it: as wide as there is room, or as a phone; light or dark. */
/** @import { Content } from "../shapes.ts" */
import { make } from "./make.js";

/** What a person chose holds for the next message, too. */
const chosen = { isPhone: false, isDark: false };

/**
 * @param {Content} content
 * @param {string} source address of the document
 */
export function previewOf(content, source) {
  // No script, no form, no window, no origin: and the document's own policy lets it load nothing.
  const frame = make("iframe", {
    sandbox: "",
    src: source,
    title: "HTML of the message",
    referrerPolicy: "no-referrer",
  });
  const stage = make("div", { className: "stage" }, frame);
  const wide = make("button", { type: "button" }, "Full width");
  const phone = make("button", { type: "button" }, "Phone, 375 px");
  const dark = make("button", { type: "button", title: "For mail that asks for prefers-color-scheme" }, "Dark");
  const show = () => {
    stage.classList.toggle("phone", chosen.isPhone);
    frame.classList.toggle("dark", chosen.isDark);
    wide.setAttribute("aria-pressed", String(!chosen.isPhone));
    phone.setAttribute("aria-pressed", String(chosen.isPhone));
    dark.setAttribute("aria-pressed", String(chosen.isDark));
  };
  const choose = (/** @type {Partial<typeof chosen>} */ wish) => {
    Object.assign(chosen, wish);
    show();
  };
  wide.addEventListener("click", () => choose({ isPhone: false }));
  phone.addEventListener("click", () => choose({ isPhone: true }));
  dark.addEventListener("click", () => choose({ isDark: !chosen.isDark }));
  show();
  return [
    make(
      "div",
      { className: "switches", role: "group", "aria-label": "Preview" },
      wide,
      phone,
      dark,
      make("span", { className: "soft" }, "Nothing is loaded from elsewhere."),
    ),
    stage,
    linksOf(content),
  ];
}

/** @param {Content} content */
function linksOf({ links }) {
  if (links.length === 0) return undefined;
  return make(
    "div",
    { className: "links" },
    make("h3", {}, `Links in this message (${links.length})`),
    make(
      "ul",
      {},
      links.map(({ href, text }) =>
        make(
          "li",
          {},
          text.trim() !== "" && text.trim() !== href && make("span", { className: "soft" }, `${text.trim()} `),
          make("a", { href, target: "_blank", rel: "noopener noreferrer" }, href),
        ),
      ),
    ),
  );
}
