/** The form of Prometheus' rule files, and the words in which an alert is written here. */
import { runbookUrl } from "../runbook.ts";

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: "warning" | "critical" };
  readonly annotations: { readonly summary: string; readonly description: string; readonly runbook_url: string };
}

export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
}

export interface RuleGroup {
  readonly name: string;
  readonly rules: readonly (AlertRule | RecordingRule)[];
}

export interface AlertWords {
  readonly name: string;
  readonly severity: "warning" | "critical";
  readonly expr: string;
  /** How long it must be so before a person is told. */
  readonly for: string;
  /** One line; labels as `{{ $labels.x }}`. */
  readonly summary: string;
  /** What is known and what to look at first. */
  readonly description: string;
}

/** The runbook's heading is the alert's name. */
export function alert(words: AlertWords): AlertRule {
  const { name, severity, expr, summary, description } = words;
  return {
    alert: name,
    expr,
    for: words.for,
    labels: { severity },
    annotations: { summary, description, runbook_url: runbookUrl(name.toLowerCase()) },
  };
}
