/** The parts of a picture that are boxes and text. */
import { hexOf } from "./colours.ts";
import type { DashboardJson, PanelJson, RowJson } from "./json.ts";
import type { Figure, Mark, Shown, Table } from "./shown.ts";

const column = 50;
const row = 36;
const gap = 4;
const head = 44;
const ink = "#24292f";
const faint = "#6e7781";
const font = "font-family='Helvetica, Arial, sans-serif'";

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export function boxOf({ gridPos: { x, y, w, h } }: PanelJson | RowJson): Box {
  return { x: x * column + gap, y: head + y * row + gap, width: w * column - 2 * gap, height: h * row - 2 * gap };
}

export function wholePicture(panels: DashboardJson["panels"], drawn: readonly string[]): string {
  const height = head + Math.max(...panels.map(({ gridPos }) => gridPos.y + gridPos.h)) * row;
  const width = 24 * column;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">`,
    `<rect width="100%" height="100%" fill="#f4f5f5"/>`,
    ...drawn,
    "</svg>\n",
  ].join("\n");
}

/** The dashboard's name, and the kinds of marks that are over its graphs. */
export function headLine(title: string, marks: readonly Mark[]): string {
  const kinds = [...new Map(marks.map(({ kind, colour }) => [kind, colour]))];
  const legend = kinds.map(([kind, colour], index) => {
    const x = 24 * column - 12 - (kinds.length - index) * 110;
    return (
      `<rect x="${x}" y="17" width="10" height="10" fill="${hexOf(colour)}"/>` +
      text({ x: x + 15, y: 26, size: 12, fill: faint }, kind)
    );
  });
  return text({ x: 8, y: 28, size: 18, fill: ink }, title) + legend.join("");
}

export function rowTitle(panel: RowJson): string {
  const box = boxOf(panel);
  return text({ x: box.x + 4, y: box.y + 20, size: 14, fill: faint }, panel.title);
}

export function frame(panel: PanelJson, content: string): string {
  const box = boxOf(panel);
  return [
    `<g transform="translate(${box.x} ${box.y})">`,
    `<rect width="${box.width}" height="${box.height}" rx="3" fill="#ffffff" stroke="#d8dee4"/>`,
    text({ x: 10, y: 20, size: 12.5, fill: ink, weight: 600 }, panel.title),
    content,
    "</g>",
  ].join("\n");
}

export function drawFigure(panel: PanelJson, { shown }: Figure): string {
  const box = boxOf(panel);
  const [first] = shown;
  if (shown.length === 1 && first !== undefined) {
    const size = Math.min(30, (box.width - 16) / (first.text.length * 0.56));
    const place = { x: box.width / 2, y: box.height / 2 + 20, size, fill: hexOf(first.colour), anchor: "middle" };
    return text(place, first.text);
  }
  return shown
    .map(({ name, text: value, colour }, index) => {
      const x = (box.width / shown.length) * (index + 0.5);
      return (
        text({ x, y: 52, size: 11, fill: faint, anchor: "middle" }, name) +
        text({ x, y: 84, size: 22, fill: hexOf(colour), anchor: "middle" }, value)
      );
    })
    .join("\n");
}

export function drawTable(panel: PanelJson, { headers, rows }: Table): string {
  const box = boxOf(panel);
  if (rows.length === 0) return centred(box, panel.fieldConfig.defaults.noValue);
  const room = Math.floor((box.height - 50) / 20);
  const widths = headers.map((header, index) =>
    Math.max(header.length, ...rows.slice(0, room).map((cells) => cells[index]?.text.length ?? 0)),
  );
  const whole = widths.reduce((sum, width) => sum + width + 3, 0);
  const starts = widths.map(
    (_, index) => 10 + (widths.slice(0, index).reduce((sum, width) => sum + width + 3, 0) / whole) * (box.width - 20),
  );
  const line = (cells: readonly Omit<Shown, "name">[], y: number, weight: number): string =>
    cells
      .map((cell, index) => {
        const letters = Math.floor(((widths[index] ?? 0) + 2) * Math.min(1, (box.width - 20) / (whole * 5.2)));
        const fill = weight > 400 ? faint : hexOf(cell.colour);
        return text({ x: starts[index] ?? 10, y, size: 11, fill, weight }, shortened(cell.text, letters));
      })
      .join("");
  const top = line(
    headers.map((header) => ({ text: header, colour: "text" })),
    42,
    600,
  );
  const shown = rows.slice(0, room).map((cells, index) => line(cells, 62 + index * 20, 400));
  return [top, `<line x1="10" x2="${box.width - 10}" y1="48" y2="48" stroke="#d8dee4"/>`, ...shown].join("\n");
}

export function centred({ width, height }: Box, words: string): string {
  return text({ x: width / 2, y: height / 2 + 8, size: 13, fill: faint, anchor: "middle" }, words);
}

function shortened(words: string, letters: number): string {
  return words.length <= letters ? words : `${words.slice(0, Math.max(1, letters - 1))}…`;
}

interface TextPlace {
  readonly x: number;
  readonly y: number;
  readonly size: number;
  readonly fill: string;
  readonly weight?: number;
  readonly anchor?: string;
}

function text({ x, y, size, fill, weight = 400, anchor = "start" }: TextPlace, words: string): string {
  return `<text x="${round(x)}" y="${round(y)}" ${font} font-size="${round(size)}" font-weight="${weight}" text-anchor="${anchor}" fill="${fill}">${escaped(words)}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
