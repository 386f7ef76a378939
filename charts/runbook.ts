/**
 * Where the runbook of an alert or panel stands: a heading of the operations page. A path in this repository, because nobody knows
 * where a reader has it: the chart puts the address that its values name before it, or leaves the link out.
 */

const operationsPage = "docs/operations.md";

/** `anchor` is the heading in lower case with hyphens, as GitHub makes it. */
export function runbookUrl(anchor: string): string {
  return `${operationsPage}#${anchor}`;
}
