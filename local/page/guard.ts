/** Who may ask the page's server, and what browsers may do with its answers. Pure. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** Sent with every answer. */
export const usualHeaders: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "x-dns-prefetch-control": "off",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cache-control": "no-store",
};

/** For what is no page: even opened by itself it can do nothing. */
export const inertPolicy = "sandbox; default-src 'none'; frame-ancestors 'none'";

/**
 * A name that resolves to this machine and is not one of its own (DNS rebinding) would make a stranger's page the same
 * origin as ours: only loopback names and addresses are answered.
 */
export function isOwnHost(host: string | undefined, port: number): boolean {
  return ownNames.some((name) => host?.toLowerCase() === `${name}:${port}`);
}

const ownNames = ["localhost", "127.0.0.1", "[::1]", "mailboat.localhost"];

export const tokenHeader = "x-mailboat-token";

/** Who asks, as far as a browser says so: a page of another site cannot keep it from doing that. */
function isOfAnotherSite(headers: IncomingHttpHeaders, port: number): boolean {
  const { origin } = headers;
  const site = headers["sec-fetch-site"];
  const isOwnOrigin =
    origin === undefined || ownNames.some((name) => origin.toLowerCase() === `http://${name}:${port}`);
  return !isOwnOrigin || (site !== undefined && site !== "same-origin" && site !== "none");
}

/**
 * Why a change is refused, in words; undefined when it is not. Any page on the web may make a browser send a request here, but not
 * with a header of its own (it would have to ask first, and is answered no), nor can it read the token.
 */
export function changeRefusal(headers: IncomingHttpHeaders, token: string, port: number): string | undefined {
  if (isOfAnotherSite(headers, port))
    return `This was asked by ${headers.origin ?? "a page of another site"}: only http://localhost:${port}/ itself changes something here.`;
  const given = headers[tokenHeader];
  if (given === undefined)
    return `What changes something needs the header ${tokenHeader}: "curl http://localhost:${port}/api/token" tells its value, which is new at each start.`;
  if (typeof given === "string" && isSame(given, token)) return undefined;
  return `The header ${tokenHeader} holds the token of an earlier start, or none of ours: "curl http://localhost:${port}/api/token" tells today's.`;
}

/** The token is for whoever runs programs on this machine, and for the page itself. */
export function mayReadToken(headers: IncomingHttpHeaders, port: number): boolean {
  return !isOfAnotherSite(headers, port);
}

function isSame(one: string, other: string): boolean {
  const [left, right] = [digest(one), digest(other)];
  return timingSafeEqual(left, right);
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** The page with the token in it, for its own script alone. */
export function withToken(html: string, token: string): string {
  return html.replace("<head>", `<head>\n    <meta name="mailboat-token" content="${token}" />`);
}

/**
 * The page may run and be styled by what lies below `/page/` of its own server, and talk to it: nothing else, an attachment of that
 * very server least of all. `host` is one of its own names, with the port.
 */
export function pagePolicy(host: string): string {
  // A source names no IPv6 address (CSP level 3, section 2.3.1): there the whole server, which sends scripts from /page/ alone.
  const own = host.startsWith("[") ? "'self'" : `http://${host}/page/`;
  return (
    `default-src 'none'; script-src ${own}; style-src ${own}; connect-src 'self'; ` +
    "img-src 'self' data:; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
  );
}

/** Kinds that a browser shows without running anything. Everything else is saved, as octets. */
const shownTypes = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "text/plain"]);

/** How a part of a message is sent. The name is the sender's: quoted for old clients, RFC 8187 for all others. */
export function partHeaders(part: { readonly name: string; readonly type: string }, wantsShown: boolean) {
  const isShown = wantsShown && shownTypes.has(part.type);
  const plain = part.name.replaceAll(/[^A-Za-z0-9 ._()-]/g, "_").slice(0, 100);
  const encoded = encodeURIComponent(part.name.slice(0, 200).toWellFormed()).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  const type = part.type === "text/plain" ? "text/plain; charset=utf-8" : part.type;
  return {
    "content-type": isShown ? type : "application/octet-stream",
    "content-disposition": `${isShown ? "inline" : "attachment"}; filename="${plain}"; filename*=UTF-8''${encoded}`,
    "content-security-policy": inertPolicy,
  };
}
