/** Where in the page a person is: the address says which message is shown, so that the browser's own way back works. */

/** The address of what there is to try, seen when no message is chosen and by who taps the boat. */
export const tryOut = "try";

const narrow = matchMedia("(max-width: 50rem)");

/** List or message, never both. */
export function isNarrow() {
  return narrow.matches;
}

/** Id of the message in the address. */
export function wantedId() {
  try {
    return decodeURIComponent(location.hash.slice(1)) || undefined;
  } catch {
    return undefined;
  }
}

/**
 * Changes the address. The way from message to message by keys leaves no trail: back leads to the list.
 * @param {string | undefined} id
 * @param {"push" | "replace"} how
 */
export function goTo(id, how) {
  const address = id === undefined ? location.pathname : `#${encodeURIComponent(id)}`;
  const isFromList = how === "push" ? wantedId() === undefined : cameFromList();
  if (how === "push") history.pushState({ isFromList }, "", address);
  else history.replaceState({ isFromList }, "", address);
}

function cameFromList() {
  const state = /** @type {{ readonly isFromList?: unknown } | null} */ (history.state);
  return state?.isFromList === true;
}

/** True when the browser goes back by itself and will tell so (popstate). */
export function goBack() {
  if (!cameFromList()) return false;
  history.back();
  return true;
}

/**
 * Links to messages are followed here, without a jump.
 * @param {(id: string | undefined) => void} open
 */
export function followLinks(open) {
  addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[href^='#']") : null;
    if (!(link instanceof HTMLAnchorElement) || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0)
      return;
    event.preventDefault();
    if (link.closest(".skips") === null) open(decodeURIComponent(link.hash.slice(1)) || undefined);
  });
}
