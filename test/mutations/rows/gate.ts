/** Changes to the gate itself. */
import type { Mutation } from "../mutation.ts";

const shared = "test/apiserver/a-shared-control-plane-is-as-it-was.test.ts";

export const gateMutations: readonly Mutation[] = [
  {
    what: "what a test file made stays on the shared control plane",
    file: "test/support/controlplane/snapshot.ts",
    old: "await remove(this.#etcd, made.slice(from, from + deletionsAtOnce));",
    new: "",
    test: shared,
  },
  {
    what: "a shared control plane whose definitions were changed is handed on",
    file: "test/gate/sharedplane.ts",
    old: "if (changed.length > 0) return",
    new: "if (changed.length > 1e9) return",
    test: shared,
  },
  {
    what: "a test file sees the requests of the one before it on the shared control plane",
    file: "test/support/controlplane/planeaccess.ts",
    old: "new AuditLog(facts.auditLog, sizeOf(facts.auditLog))",
    new: "new AuditLog(facts.auditLog, Math.min(0, sizeOf(facts.auditLog)))",
    test: shared,
  },
  {
    what: "a test that measures time runs beside others",
    file: "test/gate/workers.ts",
    old: "ordered.filter(({ name }) => !alone.has(name))",
    new: "ordered.filter(({ name }) => name !== '')",
    test: "test/gate/workers.test.ts",
  },
  {
    what: "a control plane that could not be made ready runs on, and nobody knows of it",
    file: "test/gate/sharedplane.ts",
    old: "      await plane.stop();\n      throw error;",
    new: "      throw error;",
    test: shared,
  },
  {
    what: "a lane that cannot take back ends the layer, with the outcomes of the others",
    file: "test/gate/workers.ts",
    old: ".catch((second: unknown) => [`and then: ${String(second)}`])",
    new: "",
    test: "test/gate/workers.test.ts",
  },
  {
    what: "what a file imports is not asked for what it imports",
    file: "test/gate/sharing.ts",
    old: "for (const path of found) for (const next of importsOf(path).own) found.add(next);",
    new: "",
    test: "test/gate/sharing.test.ts",
  },
  {
    what: "what a test file leaves behind is passed over",
    file: "test/gate/together.ts",
    old: "after(() => assert.deepEqual(changes(before, processState()), [], `${file} leaves something behind`));",
    new: "",
    test: "test/gate/sharing.test.ts",
  },
];
