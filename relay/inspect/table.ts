/** Columns as wide as their widest cell; the last one as long as it likes. Pure. */
import { printable } from "../../runtime/terminal.ts";

export interface Column {
  readonly title: string;
  /** Numbers stand right. */
  readonly right?: true;
}

export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const lines = [columns.map(({ title }) => title), ...rows.map((cells) => cells.map(printable))];
  const widths = columns.map((_, index) =>
    lines.reduce((widest, cells) => Math.max(widest, cells[index]?.length ?? 0), 0),
  );
  return lines.map((cells) => `${renderLine(cells, columns, widths)}\n`).join("");
}

function renderLine(cells: readonly string[], columns: readonly Column[], widths: readonly number[]): string {
  const padded = columns.map(({ right }, index) => {
    const cell = cells[index] ?? "";
    const width = widths[index] ?? 0;
    return right === true ? cell.padStart(width) : cell.padEnd(width);
  });
  return padded.join("  ").trimEnd();
}
