/**
 * Questions to the page's server. A wish to change something carries the token that the server put into the page: a
 * page of another site cannot read it. After a restart of the server the token is another one: it is asked for once.
 */

let token = document.querySelector('meta[name="mailboat-token"]')?.getAttribute("content") ?? "";

/** The server's own words. */
export class Refusal extends Error {
  /** @param {number} status @param {string} words */
  constructor(status, words) {
    super(words.trim());
    this.status = status;
  }
}

/**
 * Rejects with the server's own words.
 * @param {string} path
 * @returns {Promise<unknown>}
 */
export async function ask(path) {
  const response = await reach(path, {});
  if (!response.ok) throw new Refusal(response.status, await response.text());
  return response.json();
}

/**
 * @param {"POST" | "DELETE"} method
 * @param {string} path
 * @returns {Promise<unknown>}
 */
export async function change(method, path) {
  let response = await send(method, path);
  if (response.status === 403) {
    const fresh = await ask("/api/token");
    if (typeof fresh === "object" && fresh !== null && "token" in fresh) token = String(fresh.token);
    response = await send(method, path);
  }
  const text = await response.text();
  if (!response.ok) throw new Refusal(response.status, text);
  return text === "" ? undefined : JSON.parse(text);
}

/** @param {string} path */
export async function askText(path) {
  const response = await reach(path, {});
  return (await response.text()).trimEnd();
}

/**
 * @param {string} method
 * @param {string} path
 */
function send(method, path) {
  const headers = { "x-mailboat-token": token, "content-type": "application/json" };
  return reach(path, { method, headers, ...(method === "POST" ? { body: "{}" } : {}) });
}

/**
 * @param {string} path
 * @param {RequestInit} init
 */
async function reach(path, init) {
  try {
    return await fetch(path, { cache: "no-store", ...init });
  } catch {
    throw new Error("Local mode is away: start it again with make run.");
  }
}
