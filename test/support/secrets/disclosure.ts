/**
 * What a test file's process keeps secret, and what the programs that it starts tell. When the process ends, none of the first may
 * stand in any of the second: the file fails then, with the name of the secret and the place, and without the secret.
 *
 * Who makes a secret for a program under test keeps it here, or writes it where all do (configuration.ts, the API server's Secrets);
 * who starts a program or asks it for a page hears it here.
 */
import { Search } from "./search.ts";
import { shortestOctets, spellingsOf } from "./spellings.ts";
import type { Secret } from "./documents.ts";

const known = new Map<string, string>();
const outputs: { readonly place: string; readonly lines: readonly string[] }[] = [];
/** The last text of each place that tells a new one when it is asked. */
const pages = new Map<string, string>();
const found = new Set<string>();
let search = new Search();

/** A password of less than eight octets is looked for nowhere: it is in every log. */
export function keepSecret(label: string, secret: string | Buffer): void {
  const octets = Buffer.from(secret);
  if (octets.length < shortestOctets) return;
  for (const spelling of spellingsOf(octets)) {
    if (spelling.length < shortestOctets || known.has(spelling)) continue;
    known.set(spelling, label);
    search.add(spelling, label);
  }
}

export function keepSecrets(secrets: readonly Secret[]): void {
  for (const { label, octets } of secrets) keepSecret(label, octets);
}

/** A text that is told now. */
export function hear(place: string, text: string): void {
  pages.set(place, text);
  note(place, text);
}

/** Lines that grow, and are looked at when the process ends. */
export function hearLines(place: string, lines: readonly string[]): void {
  outputs.push({ place, lines });
}

function note(place: string, text: string): void {
  for (const { label, line } of search.in(text)) found.add(`${label} is told by ${place}, line ${line}`);
}

/** All that has been told until now; what was made later than it was told is found here. */
export function disclosures(): readonly string[] {
  for (const [place, text] of pages) note(place, text);
  for (const { place, lines } of outputs) note(place, lines.join("\n"));
  return [...found];
}

/** For the test of this file alone. */
export function forgetAll(): void {
  known.clear();
  outputs.length = 0;
  pages.clear();
  found.clear();
  search = new Search();
}

process.once("exit", () => {
  const told = disclosures();
  if (told.length === 0) return;
  process.stderr.write(`secrets were told:\n${told.join("\n")}\n`);
  process.exitCode = 1;
});
