/** A waterfall as lines of text, readable without colours. Pure. */
import { printable } from "../../runtime/terminal.ts";
import type { Paint } from "../mailline.ts";
import { durationText, type Waterfall, type WaterfallRow } from "./waterfall.ts";

const barColumns = 28;
const indent = "         ";

/** One line for each hop; bars share the scale of their trace. */
export function drawWaterfall(waterfall: Waterfall, paint: Paint): readonly string[] {
  const names = waterfall.rows.map((row) => `${"  ".repeat(row.depth)}${printable(row.name)}`);
  const width = Math.max(...names.map((name) => name.length));
  const pods = new Set(waterfall.rows.map((row) => row.pod));
  return waterfall.rows.map((row, index) => {
    const parts = [
      (names[index] ?? "").padEnd(width),
      paint(row.tone === "plain" ? "quiet" : row.tone, bar(row, waterfall.durationMs)),
      durationText(row.durationMs).padStart(7),
      printable(row.note),
      // Which relay it was matters when there are two.
      pods.size > 1 ? paint("quiet", row.pod) : "",
    ];
    return `${indent}${parts.join(" ").trimEnd()}`;
  });
}

/** At least one mark, and never past the end. */
function bar(row: WaterfallRow, totalMs: number): string {
  const scale = totalMs > 0 ? barColumns / totalMs : 0;
  const start = Math.min(barColumns - 1, Math.floor(row.offsetMs * scale));
  const length = Math.max(1, Math.min(barColumns - start, Math.round(row.durationMs * scale)));
  return `|${" ".repeat(start)}${"=".repeat(length)}${" ".repeat(barColumns - start - length)}|`;
}
