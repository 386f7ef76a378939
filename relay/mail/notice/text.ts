/**
 * Text of others made fit for a notice: one line, no control characters, bounded, folded; and the quoted-printable
 * encoding (RFC 2045 section 6.7) for what has to pass a 7-bit way. Pure; any input has an output.
 */

/** Characters that end lines, change the direction of writing, hide, or are no characters at all. */
const unshowable = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\ufffd]/gu;
/** Longer diagnostics say nothing more; a next hop must not be able to make notices large. */
const diagnosticCharacters = 1_000;
/** RFC 5322 section 2.1.1: 78 characters wished for, 998 octets allowed. */
const wishedWidth = 76;
const longestAsciiWord = 900;
const longestWord = 220;

export type Charset = "ascii" | "utf-8";

export function isAscii(text: string): boolean {
  return !/[^\0-\x7f]/.test(text);
}

/** Every character that must not be shown becomes what `instead` says; spaces stay as they are. */
export function shown(text: string, charset: Charset, instead: (character: string) => string = () => "?"): string {
  const safe = text.replace(unshowable, instead);
  return charset === "ascii" ? safe.replace(/[^\x20-\x7e]/gu, "?") : safe;
}

/** Words of others as one line. */
export function oneLine(text: string, charset: Charset): string {
  return shown(text.replace(/\s+/gu, " "), charset).trim();
}

/** What the other side said, cut to a bearable length. */
export function diagnostic(text: string, charset: Charset): string {
  const line = oneLine(text.slice(0, 4 * diagnosticCharacters), charset);
  const characters = Array.from(line);
  return characters.length > diagnosticCharacters
    ? `${characters.slice(0, diagnosticCharacters).join("")} [...]`
    : line;
}

/**
 * Lines of a length that mail likes where words allow it, and of one that mail allows where they do not. Later lines begin
 * with `indent`; in a field that is the folding of RFC 5322 section 2.2.3. `text` is one line; runs of spaces become one.
 */
export function wrap(text: string, indent: string): string {
  const width = wishedWidth - indent.length;
  const lines: string[] = [];
  let line = "";
  for (const word of words(text)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join(`\r\n${indent}`);
}

function words(text: string): string[] {
  const longest = isAscii(text) ? longestAsciiWord : longestWord;
  const pieces = new RegExp(`.{1,${longest}}`, "gsu");
  return text.split(" ").flatMap((word) => word.match(pieces) ?? []);
}

/** A paragraph of the human part, every line behind `indent`. */
export function paragraph(text: string, indent = ""): string {
  return indent + wrap(text, indent);
}
