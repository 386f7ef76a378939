/** What grammars make: octets with what a server has to make of them. */
import fc from "fast-check";

/** Open: what was right was changed at random, and the server may take it or not. */
export type Verdict = "right" | "wrong" | "open";

export interface Line {
  /** Without its end; each character is an octet. */
  readonly text: string;
  readonly verdict: Verdict;
}

export const pick = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);

/** UTF-8, as it goes over the wire. */
export const octetsOf = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

/** Letters in any case: keywords of SMTP have none (RFC 5321 section 2.4). */
export function anyCase(text: string): fc.Arbitrary<string> {
  return fc.infiniteStream(fc.boolean()).map((upper) =>
    text
      .split("")
      .map((letter) => (upper.next().value === true ? letter.toUpperCase() : letter.toLowerCase()))
      .join(""),
  );
}

/** Octets that some reader gives a meaning; no line feed, which would make two lines of one. */
const pieces = pick(
  ...' <>@:;,."\\()[]=+*~-%!\t\0\r\x01\x7f\x80\x85\xa0\xff\xc3\xbc\xef\xbc\xa0'.split(""),
  "<>",
  '\\"',
  " SIZE=1",
  " X=1",
  "=2C",
  "+0A",
  "\xe2\x80\xa8",
  "@foreign.example",
  "A".repeat(70),
  "x".repeat(600),
);

interface Change {
  readonly at: number;
  readonly gone: number;
  readonly put: string;
}

const change: fc.Arbitrary<Change> = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  gone: pick(0, 0, 1, 2, 9),
  put: fc.oneof(fc.constant(""), pieces),
});

/** One or two places of it are other than they were. */
export function bent(text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(text, fc.array(change, { minLength: 1, maxLength: 2 })).map(([whole, changes]) =>
    changes.reduce((now, { at, gone, put }) => {
      const place = Math.floor(at * (now.length + 1));
      return now.slice(0, place) + put + now.slice(place + gone);
    }, whole),
  );
}

/** Octets of any kind that are no line end. */
export const noise: fc.Arbitrary<string> = fc.oneof(
  fc.array(pieces, { maxLength: 30 }).map((all) => all.join("")),
  fc
    .uint8Array({ minLength: 1, maxLength: 300 })
    .map((octets) => Buffer.from(octets).toString("latin1").replaceAll("\n", " ")),
);
