/** What to do at start with the body files a previous process left behind. Pure: a listing in, actions out. */
import { isSpoolId, type SpoolId } from "../message/id.ts";

export type RecoveryAction =
  /** Its message was never committed, so never acknowledged: the client still has it. */
  | { readonly kind: "discard"; readonly name: string }
  /** Not a name of ours, or perhaps the body of a message whose row cannot be read: moved aside for a human, never deleted. */
  | { readonly kind: "quarantine"; readonly name: string }
  /** A message whose body is gone: its attempts will defer until it expires, and the log names it now. */
  | { readonly kind: "missing"; readonly id: SpoolId };

/** What is known of the messages whose body is a file. */
export interface CommittedBodies {
  readonly ids: readonly SpoolId[];
  /** False when rows could not be read: any file may then be the body of such a message. */
  readonly complete: boolean;
}

export function recoverBodies(names: readonly string[], { ids, complete }: CommittedBodies): readonly RecoveryAction[] {
  const committed = new Set(ids);
  const present = new Set<string>(names);
  const expected: ReadonlySet<string> = committed;
  const actions: RecoveryAction[] = [];
  for (const name of names) {
    if (expected.has(name)) continue;
    actions.push({ kind: isSpoolId(name) && complete ? "discard" : "quarantine", name });
  }
  for (const id of committed) {
    if (!present.has(id)) actions.push({ kind: "missing", id });
  }
  return actions;
}
