/** What a check or a test file came to; the sum of all of them is the verdict. */

export interface Failure {
  /** File and test, or the name of the check. */
  readonly name: string;
  /** Everything a reader needs: message, stack, output. */
  readonly text: string;
}

export interface Outcome {
  readonly passed: number;
  readonly failures: readonly Failure[];
  /** `file: test: why`. */
  readonly skipped: readonly string[];
}

export const nothing: Outcome = { passed: 0, failures: [], skipped: [] };

export function add(left: Outcome, right: Outcome): Outcome {
  return {
    passed: left.passed + right.passed,
    failures: [...left.failures, ...right.failures],
    skipped: [...left.skipped, ...right.skipped],
  };
}

/** Where a skip hides a hole (CI=true), it counts as a failure. */
export function withoutSkips(outcome: Outcome): Outcome {
  const failures = outcome.skipped.map((name) => ({ name, text: "skipped, and CI=true allows no skip" }));
  return { passed: outcome.passed, failures: [...outcome.failures, ...failures], skipped: [] };
}
