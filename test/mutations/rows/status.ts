/** Rows of what status says of the queue. */
import type { Mutation } from "../mutation.ts";

export const statusMutations: readonly Mutation[] = [
  {
    what: "status says that nothing waits where a pod does not tell",
    file: "operator/pods/figures.ts",
    old: "least === 0 && unheard > 0 ? undefined : roundedCount(least)",
    new: "roundedCount(least)",
    test: "operator/pods/figures.test.ts",
  },
  {
    what: "a queue that was told is told smaller because a pod does not answer",
    file: "operator/pods/figures.ts",
    old: "unheard: unheard === Infinity ? Infinity : 0, before",
    new: "unheard: 0, before",
    test: "operator/pods/figures.test.ts",
  },
  {
    what: "nothing is due, says status, when the pod with what is due does not answer",
    file: "operator/pods/figures.ts",
    old: 'isHeard: unheardRecipients(question, "queuedRecipients") === 0',
    new: "isHeard: true",
    test: "operator/pods/figures.test.ts",
  },
  {
    what: "a queue that is known again is told twenty seconds later",
    file: "operator/pods/figures.ts",
    old: "told[count] === undefined && found[count] !== undefined",
    new: "told[count] === null && found[count] !== undefined",
    test: "operator/pods/figures.test.ts",
  },
  {
    what: "an operator that sees nothing begins with a queue of nothing",
    file: "operator/mailrelay/unseen/plan.ts",
    old: "world.figures ?? saidFigures(relay.status, now)",
    new: "world.figures ?? { at: now, queued: 0 }",
    test: "operator/mailrelay/unseen/unseen.test.ts",
  },
  {
    what: "domains that cannot be seen count as not attached",
    file: "operator/mailrelay/plan.ts",
    old: "world.domains.size + keptDocuments(world).length",
    new: "world.domains.size",
    test: "operator/mailrelay/unseen/unseen.test.ts",
  },
];
