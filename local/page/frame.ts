/**
 * The HTML of a message as a document that a browser may show. The policy that is sent with it and the sandbox around it
 * forbid scripts, forms and every address; what they leave open is taken out of the text. Pure.
 */
import type { MessagePart } from "../capture/mime.ts";

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

export function frameDocument(html: string, parts: readonly MessagePart[]): string {
  const pictures = new Map(
    parts
      .filter((part) => pictureTypes.has(part.type) && part.bytes.length <= largestPictureBytes)
      .flatMap((part) => (part.contentId === undefined ? [] : [[part.contentId, part] as const])),
  );
  const withPictures = html.replaceAll(/\bcid:([^"'\s)>]+)/gi, (whole, id: string) => {
    const part = pictures.get(decodeId(id));
    return part === undefined ? whole : `data:${part.type};base64,${part.bytes.toString("base64")}`;
  });
  // A tag's name is the letters behind `<` as they stand: an `x-` before them makes it an element without meaning.
  return `<!doctype html>\n${withPictures.replaceAll(reachingElements, "<$1x-")}`;
}

/** Addresses that links lead to, in order and once each: a person may follow one, seeing where it goes. */
export function linksIn(html: string): readonly string[] {
  // Bounded in every direction: a message may be made to keep such a search busy.
  const start = html.slice(0, searchedCharacters);
  const links = [
    ...start.matchAll(/<a\s[^>]{0,500}?\bhref\s{0,9}=\s{0,9}(?:"([^"]{0,2000})"|'([^']{0,2000})'|([^\s>]{1,2000}))/gi),
  ]
    .map((match) => (match[1] ?? match[2] ?? match[3] ?? "").trim().replaceAll("&amp;", "&"))
    .filter((link) => /^https?:\/\//i.test(link) && URL.canParse(link));
  return [...new Set(links)].slice(0, 50);
}

function decodeId(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not encoded, or badly: then it names a part as it stands, or none.
    return text;
  }
}
