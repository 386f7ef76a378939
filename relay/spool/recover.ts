/** What to do at start with the body files a previous process left behind. Pure: a listing in, actions out. */
import type { SpoolId } from "./entry.ts";

export type RecoveryAction =
  /** Its message was never committed, so never acknowledged: the client still has it. */
  | { readonly kind: "discard"; readonly name: string }
  /** Not a name of ours: moved aside for a human, never deleted. */
  | { readonly kind: "quarantine"; readonly name: string }
  /** A message whose body is gone: its attempts will defer until it expires, and the log names it now. */
  | { readonly kind: "missing"; readonly id: SpoolId };

const spoolIdForm = /^[0-9a-z]{9}[0-9a-f]{12}$/;

export function recoverBodies(names: readonly string[], committed: ReadonlySet<SpoolId>): readonly RecoveryAction[] {
  const present = new Set<string>(names);
  const expected: ReadonlySet<string> = committed;
  const actions: RecoveryAction[] = [];
  for (const name of names) {
    if (expected.has(name)) continue;
    actions.push({ kind: spoolIdForm.test(name) ? "discard" : "quarantine", name });
  }
  for (const id of committed) {
    if (!present.has(id)) actions.push({ kind: "missing", id });
  }
  return actions;
}
