/** A waterfall as lines of text, readable without colours. Pure. */
import { printable } from "../../runtime/terminal.ts";
import { lineOf, type Paint } from "../terminal/paint.ts";
import type { Waterfall, WaterfallRow } from "./shape.ts";
import { durationText } from "./waterfall.ts";

const indent = "         ";

/** One line for each hop; bars share the scale of their trace, and give way where a terminal is narrow. */
export function drawWaterfall(waterfall: Waterfall, paint: Paint, columns?: number): readonly string[] {
  const names = waterfall.rows.map((row) => `${"  ".repeat(row.depth)}${printable(row.name)}`);
  const width = Math.max(...names.map((name) => name.length));
  const pods = new Set(waterfall.rows.map((row) => row.pod));
  const barColumns = barColumnsOf(columns);
  const left = columns === undefined ? undefined : columns - indent.length - width - 1;
  return waterfall.rows.map((row, index) => {
    const pieces = [
      { text: barColumns === 0 ? "" : bar(row, waterfall.durationMs, barColumns), ...toneOf(row) },
      { text: durationText(row.durationMs).padStart(7) },
      { text: row.note },
      // Which relay it was matters when there are two.
      { text: pods.size > 1 ? row.pod : "", style: "quiet" as const },
    ];
    return `${indent}${(names[index] ?? "").padEnd(width)} ${lineOf(pieces, paint, left)}`.trimEnd();
  });
}

function toneOf({ tone }: WaterfallRow): { readonly style: "quiet" | "good" | "warning" | "bad" } {
  return { style: tone === "plain" ? "quiet" : tone };
}

function barColumnsOf(columns: number | undefined): number {
  if (columns === undefined || columns >= 100) return 28;
  return columns >= 60 ? 12 : 0;
}

/** At least one mark, and never past the end. */
function bar(row: WaterfallRow, totalMs: number, barColumns: number): string {
  const scale = totalMs > 0 ? barColumns / totalMs : 0;
  const start = Math.min(barColumns - 1, Math.floor(row.offsetMs * scale));
  const length = Math.max(1, Math.min(barColumns - start, Math.round(row.durationMs * scale)));
  return `|${" ".repeat(start)}${"=".repeat(length)}${" ".repeat(barColumns - start - length)}|`;
}
