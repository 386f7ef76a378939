/** Events for what a person would want to know of: conditions that changed from one status or reason to another. Pure. */
import type { Condition } from "../../api/condition.ts";
import type { KubeEvent, Reference } from "../kube/kube.ts";

export interface Transition {
  readonly regarding: Reference;
  readonly before: readonly Condition[];
  readonly after: readonly Condition[];
  /** Conditions that repeat others. */
  readonly ignored: ReadonlySet<string>;
  /** The condition that sums others up: that it went bad is told by those. */
  readonly summary: string;
  /** Reasons that every new resource goes through. */
  readonly underWay: ReadonlySet<string>;
  /** Reasons that come and go with every change: neither their coming nor, for these condition types, their end is told. */
  readonly passing: { readonly reasons: ReadonlySet<string>; readonly untold: ReadonlySet<string> };
  /** Conditions of which False is the good news. */
  readonly inverted?: ReadonlySet<string>;
  /** Reasons that are no warning although the condition is not as it should be in the end. */
  readonly progress?: ReadonlySet<string>;
  /** Reasons that deserve a warning although the condition is good. */
  readonly warnings?: ReadonlySet<string>;
}

export function transitionEvents(transition: Transition): readonly KubeEvent[] {
  const before = new Map(transition.before.map((condition) => [condition.type, condition]));
  return transition.after.flatMap((condition) => {
    const last = before.get(condition.type);
    if (transition.ignored.has(condition.type)) return [];
    if (last?.status === condition.status && last.reason === condition.reason) return [];
    const isInverted = transition.inverted?.has(condition.type) === true;
    const isBad = condition.status === (isInverted ? "True" : "False");
    const isProgress = transition.progress?.has(condition.reason) === true;
    const isWarning = (isBad && !isProgress) || transition.warnings?.has(condition.reason) === true;
    // Of a resource that has just come, neither what is well nor what takes its course is news.
    if (last === undefined && (!isWarning || transition.underWay.has(condition.reason))) return [];
    if (condition.type === transition.summary && isBad) return [];
    const { reasons, untold } = transition.passing;
    if (reasons.has(condition.reason)) return [];
    if (untold.has(condition.type) && last !== undefined && reasons.has(last.reason)) return [];
    return [
      {
        regarding: transition.regarding,
        type: isWarning ? ("Warning" as const) : ("Normal" as const),
        reason: condition.reason,
        note: `${condition.type}: ${condition.message}`,
      },
    ];
  });
}
