/**
 * The HTML of a message as a document that a browser may show. The policy that is sent with it and the sandbox around it
 * forbid scripts, forms and every address; what they leave open is taken out of the text. Pure.
 */
import { textOfHtml, withoutScripts } from "../capture/htmltext.ts";
import type { MessagePart } from "../capture/mime.ts";
import type { Link } from "./shapes.ts";

/** The frame has an origin of its own, runs nothing and loads nothing but what lies in the document itself. */
export const framePolicy =
  "sandbox; default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/**
 * Elements that make a browser connect before it asks the policy (a blocked frame or preconnect opens the connection all
 * the same), or that change what addresses mean.
 */
const reachingElements = /<(\/?)(?=(?:base|embed|frame|frameset|iframe|link|meta|object|portal|script)[\s/>])/gi;

/** Pictures of the message itself go in as data; only kinds that hold no markup. */
const pictureTypes = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"]);
const largestPictureBytes = 2_097_152;
/** Links further on are not listed. */
const searchedCharacters = 300_000;

/**
 * What stands where a picture would: that it is blocked when it lies elsewhere, that it is missing when the message names a part of its
 * own that it does not have. The picture keeps its size, so that the layout is that of the mail.
 */
export const pictureStyle =
  `<style>img[src]:not([src^="data:" i],[src^="cid:" i],[width="1"]){${standIn("blocked", 64)}}img[src^="cid:" i]{${standIn("missing", 66)}}` +
  "x-script{display:none}</style>";

function standIn(word: string, width: number): string {
  const text = `<text x="50%" y="15" font-family="sans-serif" font-size="13" text-anchor="middle" fill="#4a5563">${word}</text>`;
  const picture = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="22">${text}</svg>`;
  const address = `data:image/svg+xml,${encodeURIComponent(picture)}`;
  return `content:url("${address}");object-fit:none;background:#e6e9ee;outline:1px dashed #7a8799;outline-offset:-1px`;
}

export function frameDocument(html: string, parts: readonly MessagePart[]): string {
  const pictures = new Map(
    parts
      .filter((part) => pictureTypes.has(part.type) && part.bytes.length <= largestPictureBytes)
      .flatMap((part) => (part.contentId === undefined ? [] : [[part.contentId, part] as const])),
  );
  // First, so that nothing that is taken out makes one of its neighbours.
  const withPictures = withoutScripts(html).replaceAll(/\bcid:([^"'\s)>]+)/gi, (whole, id: string) => {
    const part = pictures.get(decodeId(id));
    return part === undefined ? whole : `data:${part.type};base64,${part.bytes.toString("base64")}`;
  });
  // A tag's name is the letters behind `<` as they stand: an `x-` before them makes it an element without meaning.
  return `<!doctype html>\n${pictureStyle}\n${withPictures.replaceAll(reachingElements, "<$1x-")}`;
}

/** Links, in order and each address once: a person may follow one, seeing where it goes. */
export function linksIn(html: string): readonly Link[] {
  // Bounded in every direction: a message may be made to keep such a search busy.
  const start = html.slice(0, searchedCharacters);
  const links = new Map<string, Link>();
  const anchor = /<a\s[^>]{0,500}?\bhref\s{0,9}=\s{0,9}(?:"([^"]{0,2000})"|'([^']{0,2000})'|([^\s>]{1,2000}))/gi;
  for (const match of start.matchAll(anchor)) {
    if (links.size >= listedLinks) break;
    const href = (match[1] ?? match[2] ?? match[3] ?? "").trim().replaceAll("&amp;", "&");
    const isOfWeb = /^https?:\/\//i.test(href) && URL.canParse(href);
    if (isOfWeb && (links.get(href)?.text ?? "") === "")
      links.set(href, { href, text: wordsBehind(start, match.index + match[0].length) });
  }
  return [...links.values()];
}

const listedLinks = 50;
const wordsCharacters = 600;

/** From the end of the tag that an attribute at `from` belongs to, to the end of the link. */
function wordsBehind(html: string, from: number): string {
  const near = html.slice(from, from + wordsCharacters);
  const inside = near.slice(near.indexOf(">") + 1);
  return textOfHtml(inside.split(/<\/?a[\s>]/i, 1)[0] ?? "")
    .replaceAll(/\s+/g, " ")
    .slice(0, 200);
}

function decodeId(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not encoded, or badly: then it names a part as it stands, or none.
    return text;
  }
}
