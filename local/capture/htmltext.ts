/**
 * The text that a person would read of an HTML body, without what stands there for programs: scripts, styles, titles,
 * templates, comments. Pure, and linear in the length of a text that may be made to keep it busy.
 */

/** Elements whose content nobody is shown. What else a head may hold has no text. */
const hidden = new Set(["script", "style", "template", "title", "noframes", "datalist"]);
const lineElements = new Set(
  "address article aside blockquote body br center dd div dl dt fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section table tr ul".split(
    " ",
  ),
);
/** Apart, and on one line. */
const cellElements = new Set(["td", "th", "option"]);

/** Text further on is not made: six times what the largest client shows. */
const readCharacters = 600_000;

/** What stands between a tag's `<` and its `>`, and where the next begins. */
interface Tag {
  readonly name: string;
  readonly isEnd: boolean;
  readonly attributes: string;
  readonly after: number;
}

export function textOfHtml(whole: string): string {
  const html = whole.slice(0, readCharacters);
  const parts: string[] = [];
  for (let at = 0; at < html.length;) {
    const open = html.indexOf("<", at);
    parts.push(onOneLine(html.slice(at, open < 0 ? html.length : open)));
    if (open < 0) break;
    const comment = commentEnd(html, open);
    const tag = comment === undefined ? tagAt(html, open) : undefined;
    if (comment !== undefined) at = comment;
    else if (tag === undefined) {
      parts.push("<");
      at = open + 1;
    } else {
      parts.push(spaceFor(tag));
      at = hidden.has(tag.name) && !tag.isEnd ? hiddenEnd(html, tag) : tag.after;
    }
  }
  return tidied(parts.join(""));
}

/** HTML without its scripts, as a browser would find where they end. What is left of one that is not closed goes, too. */
export function withoutScripts(html: string): string {
  const start = /<!--|<script(?=[\s/>])/gi;
  const parts: string[] = [];
  let kept = 0;
  for (let match = start.exec(html); match !== null; match = start.exec(html)) {
    if (match[0] === "<!--") {
      start.lastIndex = commentEnd(html, match.index) ?? html.length;
      continue;
    }
    parts.push(html.slice(kept, match.index));
    kept = elementEnd(html, "script", match.index);
    start.lastIndex = kept;
  }
  parts.push(html.slice(kept));
  return parts.join("");
}

/**
 * The letters and digits of what nobody is shown, each run up to a bound: so that a text which a library made of the same HTML
 * can be asked whether it shows them.
 */
export function hiddenLetters(html: string): readonly string[] {
  const start = /<!--|<(script|style|template)(?=[\s/>])/gi;
  const runs: string[] = [];
  for (let match = start.exec(html); match !== null; match = start.exec(html)) {
    const end =
      match[1] === undefined
        ? (commentEnd(html, match.index) ?? html.length)
        : elementEnd(html, match[1].toLowerCase(), match.index);
    if (match[1] !== undefined) {
      const inside = html.slice(html.indexOf(">", match.index) + 1, end);
      runs.push(lettersOf(inside.slice(0, comparedCharacters)));
    }
    start.lastIndex = Math.max(end, match.index + 1);
  }
  return runs;
}

const comparedCharacters = 400;

export function lettersOf(text: string): string {
  return text.replaceAll(/<\/?[a-z][^<>]*>/gi, "").replaceAll(/[^\p{L}\p{N}]/gu, "");
}

/** Where a comment ends that begins here (HTML standard, section 13.2.5.43 on: `<!-->` is a whole one); undefined where none does. */
function commentEnd(html: string, at: number): number | undefined {
  if (html.startsWith("<!-->", at)) return at + 5;
  if (html.startsWith("<!--->", at)) return at + 6;
  if (html.startsWith("<!--", at)) {
    const end = html.indexOf("-->", at + 4);
    return end < 0 ? html.length : end + 3;
  }
  // A doctype, a processing instruction, a conditional for one client: what a browser takes for a comment up to the next `>`.
  if (!/^<[!?]/.test(html.slice(at, at + 2))) return undefined;
  const end = html.indexOf(">", at);
  return end < 0 ? html.length : end + 1;
}

function tagAt(html: string, at: number): Tag | undefined {
  const [start, slash = "", name] = /^<(\/?)([a-z][a-z0-9:-]{0,40})/i.exec(html.slice(at, at + 44)) ?? [];
  if (start === undefined || name === undefined) return undefined;
  const end = tagEnd(html, at + start.length);
  return {
    name: name.toLowerCase(),
    isEnd: slash !== "",
    attributes: html.slice(at + start.length, Math.min(end, at + longestTag)),
    after: Math.min(html.length, end + 1),
  };
}

/** Quotes are looked at so far: each tag may be looked at again, and a message may be made of tags that never close theirs. */
const longestTag = 1_000;

/** A `>` in quotes ends no tag. One whose quotes are not closed within reason ends at its first `>`. */
function tagEnd(html: string, from: number): number {
  const within = html.slice(from, from + longestTag);
  const whole = /^(?:[^>"']|"[^"]*"|'[^']*')*>/.exec(within)?.[0];
  if (whole !== undefined) return from + whole.length - 1;
  const end = html.indexOf(">", from);
  return end < 0 ? html.length : end;
}

/** Templates may stand within each other. */
function hiddenEnd(html: string, tag: Tag): number {
  if (tag.name !== "template") return elementEnd(html, tag.name, tag.after);
  const step = /<(\/?)template(?=[\s/>])/gi;
  step.lastIndex = tag.after;
  let depth = 1;
  for (let match = step.exec(html); match !== null; match = step.exec(html)) {
    depth += match[1] === "/" ? -1 : 1;
    if (depth === 0) return closedAt(html, match.index);
  }
  return html.length;
}

function elementEnd(html: string, name: string, from: number): number {
  const close = new RegExp(`</${name}(?=[\\s/>])`, "gi");
  close.lastIndex = from;
  const match = close.exec(html);
  return match === null ? html.length : closedAt(html, match.index);
}

function closedAt(html: string, at: number): number {
  const end = html.indexOf(">", at);
  return end < 0 ? html.length : end + 1;
}

/** What a tag is in a text. */
function spaceFor({ name, isEnd, attributes }: Tag): string {
  if (name === "li" && !isEnd) return "\n* ";
  if (name === "tr" && isEnd) return "";
  if (name === "img") {
    const [, one, other] = /\salt\s{0,9}=\s{0,9}(?:"([^"]*)"|'([^']*)')/i.exec(attributes) ?? [];
    return one ?? other ?? "";
  }
  if (name === "p" || /^h[1-6]$/.test(name) || name === "table") return "\n\n";
  if (lineElements.has(name)) return "\n";
  return cellElements.has(name) ? " " : "";
}

/** A line end of the source is a space: lines are what elements make. */
function onOneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ");
}

function tidied(text: string): string {
  return decodeEntities(text)
    .replaceAll(/[^\S\n]+/g, " ")
    .replaceAll(/ ?\n ?/g, "\n")
    .replaceAll(/\n{3,}/g, "\n\n")
    .trim();
}

const latin =
  "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest " +
  "Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig " +
  "agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml";
const others: readonly (readonly [name: string, text: string])[] = [
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
  ["euro", "€"],
  ["ndash", "–"],
  ["mdash", "—"],
  ["lsquo", "‘"],
  ["rsquo", "’"],
  ["sbquo", "‚"],
  ["ldquo", "“"],
  ["rdquo", "”"],
  ["bdquo", "„"],
  ["bull", "•"],
  ["hellip", "…"],
  ["trade", "™"],
  ["zwnj", ""],
  ["zwj", ""],
  ["larr", "←"],
  ["rarr", "→"],
  ["check", "✓"],
];
const named: ReadonlyMap<string, string> = new Map([
  ...latin.split(" ").map((name, index) => [name, String.fromCodePoint(160 + index)] as const),
  ...others,
]);

/** The names that mail uses; another one stays as it is written. */
function decodeEntities(text: string): string {
  return text.replaceAll(/&(#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});?/gi, (whole, entity: string) => {
    if (!entity.startsWith("#")) return named.get(entity) ?? whole;
    const code = /^#x/i.test(entity) ? Number.parseInt(entity.slice(2), 16) : Number(entity.slice(1));
    return code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? "\ufffd" : String.fromCodePoint(code);
  });
}
