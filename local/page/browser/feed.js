/** What happens while the page is open. The browser comes back by itself when the server was away. */
/** @import { Outline } from "../shapes.ts" */

/**
 * @typedef {object} Ears
 * @property {(isLive: boolean) => void} live
 * @property {() => void} list the whole list is to be read anew
 * @property {(message: Outline) => void} message one came or changed
 * @property {(id: string) => void} gone
 */

/** @param {Ears} ears */
export function follow(ears) {
  const source = new EventSource("/api/events");
  source.onopen = () => ears.live(true);
  source.onerror = () => ears.live(false);
  source.addEventListener("list", () => ears.list());
  source.addEventListener("cleared", () => ears.list());
  source.addEventListener("message", ({ data }) => ears.message(/** @type {Outline} */ (JSON.parse(String(data)))));
  source.addEventListener("gone", ({ data }) => ears.gone(/** @type {{ id: string }} */ (JSON.parse(String(data))).id));
}
