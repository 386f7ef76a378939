/**
 * Remembers what reading gave for the texts that were read last: hundreds of relays have one authority, each is looked at every minute,
 * and to parse certificates takes longer than all else that is decided. Pure: the same texts give the same value.
 */
import { createHash } from "node:crypto";

/** Of so many readings, those that were not asked for the longest are forgotten first. */
export function readOnce<Texts extends readonly string[], T>(
  limit: number,
  read: (...texts: Texts) => T,
): (...texts: Texts) => T {
  const readings = new Map<string, { readonly value: T }>();
  return (...texts) => {
    const key = digestOf(texts);
    const reading = readings.get(key) ?? { value: read(...texts) };
    readings.delete(key);
    readings.set(key, reading);
    const [oldest] = readings.keys();
    if (readings.size > limit && oldest !== undefined) readings.delete(oldest);
    return reading.value;
  };
}

/** Keys of certificates are among the texts: what is remembered by is not to hold them. */
function digestOf(texts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const text of texts) hash.update(`${text.length} `).update(text);
  return hash.digest("base64");
}
