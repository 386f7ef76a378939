/** Where the runbook of an alert or panel stands: a heading of the operations page. */

const operationsPage = "https://github.com/mailboat/mailboat/blob/main/docs/operations.md";

/** `anchor` is the heading in lower case with hyphens, as GitHub makes it. */
export function runbookUrl(anchor: string): string {
  return `${operationsPage}#${anchor}`;
}
