/** Words of a field in other characters than ASCII (RFC 2047), for people to read. Pure; what cannot be decoded stays as it is. */

const word = /=\?([\w.-]{1,40})(?:\*[\w-]*)?\?([bq])\?([^?\s]*)\?=/gi;
/** RFC 2047 section 6.2: white space between two of them is no part of the text. */
const between = /(\?=)[ \t\r\n]+(?==\?[\w.-]{1,40}(?:\*[\w-]*)?\?[bq]\?)/gi;

export function decodeWords(text: string): string {
  if (!text.includes("=?")) return text;
  return text.replace(between, "$1").replace(word, (whole: string, ...parts: string[]) => {
    const [charset, encoding = "", encoded = ""] = parts;
    const octets = encoding.toLowerCase() === "b" ? Buffer.from(encoded, "base64") : octetsOfQ(encoded);
    try {
      return new TextDecoder(charset).decode(octets);
    } catch {
      // A character set that nobody knows (RFC 2047 section 6.2 lets us show it as it is).
      return whole;
    }
  });
}

/** RFC 2047 section 4.2: an underscore is a space, and an equals sign leads two hexadecimal digits. */
function octetsOfQ(encoded: string): Buffer {
  const plain = encoded
    .replaceAll("_", " ")
    .replace(/=([0-9a-f]{2})/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
  return Buffer.from(plain, "latin1");
}
