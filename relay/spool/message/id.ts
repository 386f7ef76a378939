/** The name of a message: time-ordered, safe in headers and file names. Pure. */

declare const spoolIdBrand: unique symbol;
/** Unique in this spool and, for all practical purposes, everywhere. */
export type SpoolId = string & { readonly [spoolIdBrand]: true };

/** 9 characters of time (ms, base 36) and 12 of chance (hex): sorts by acceptance. */
export function spoolIdOf(acceptedAt: number, chance: Uint8Array): SpoolId {
  const random = Buffer.from(chance.buffer, chance.byteOffset, 6).toString("hex");
  return (acceptedAt.toString(36).padStart(9, "0") + random) as SpoolId;
}

const spoolIdForm = /^[0-9a-z]{9}[0-9a-f]{12}$/;

/** False for what no spool made: an id becomes the name of a file. */
export function isSpoolId(text: string): text is SpoolId {
  return spoolIdForm.test(text);
}
