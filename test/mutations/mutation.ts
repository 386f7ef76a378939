/** A change that breaks a promise on purpose, and the test that must fail for it. Pure. */

export interface Mutation {
  /** The promise that is broken, as it then is: "an outcome is reported before it is durable". */
  readonly what: string;
  /** Below the repository. */
  readonly file: string;
  /** Must occur exactly once in the file; a row whose text has changed is mended by hand. */
  readonly old: string;
  readonly new: string;
  /** The test file that must fail, below the repository. */
  readonly test: string;
  /** Only tests of these names, where the file is long; a regular expression. */
  readonly only?: string;
}

/** The text with the change in it. Throws when the old text is not there, or more than once. */
export function mutate(text: string, { old, new: next, file }: Mutation): string {
  const parts = text.split(old);
  if (old === "" || parts.length !== 2) {
    throw new Error(
      `${file}: this text must occur once and occurs ${old === "" ? 0 : parts.length - 1} times:\n${old}`,
    );
  }
  if (old === next) throw new Error(`${file}: the change changes nothing:\n${old}`);
  return parts.join(next);
}

export type Outcome =
  /** The test failed, as it must. */
  | { readonly kind: "killed"; readonly seconds: number }
  /** It did not end: whoever waits for it sees that something is wrong, but not what. */
  | { readonly kind: "hung"; readonly seconds: number }
  | { readonly kind: "survived"; readonly seconds: number }
  /** The test fails without the change as well. */
  | { readonly kind: "pointless"; readonly seconds: number };

export interface Verdict {
  readonly mutation: Mutation;
  readonly outcome: Outcome;
}

export function isGood({ outcome }: Verdict): boolean {
  return outcome.kind === "killed" || outcome.kind === "hung";
}

/** One line for each, and how many there are of each kind. */
export function report(verdicts: readonly Verdict[]): string {
  const lines = verdicts.map(
    ({ mutation: { what, file, test }, outcome }) =>
      `${outcome.kind.padEnd(9)} ${outcome.seconds.toFixed(1).padStart(6)} s  ${what}\n${" ".repeat(20)}${file}, ${test}`,
  );
  const count = (kind: Outcome["kind"]): number => verdicts.filter(({ outcome }) => outcome.kind === kind).length;
  const sum = (["killed", "hung", "survived", "pointless"] as const).map((kind) => `${count(kind)} ${kind}`).join(", ");
  return `${[...lines, sum].join("\n")}\n`;
}
