/** Grafana's named colours in its light theme, and how it gives them to series. */
import type { Look } from "./json.ts";

const hex: Readonly<Record<string, string>> = {
  text: "#24292f",
  green: "#56a64b",
  orange: "#ff780a",
  red: "#e02f44",
  "dark-red": "#ad0317",
  blue: "#3274d9",
  purple: "#a352cc",
};

/** What series without a meaning get, by their name. */
const classic = ["#7eb26d", "#eab839", "#6ed0e0", "#ef843c", "#1f78c1", "#ba43a9", "#705da0", "#508642", "#cca300"];

export function hexOf(colour: string): string {
  const found = hex[colour];
  if (found === undefined) throw new Error(`no colour is called ${colour}`);
  return found;
}

/** `nth` of the series that share the look. */
export function seriesHex({ colour }: Look, name: string, nth: number): string {
  if (colour.mode === "fixed") return hexOf(colour.fixedColor ?? "text");
  if (colour.mode === "shades") return shade(hexOf(colour.fixedColor ?? "text"), nth);
  const sum = Buffer.from(name).reduce((total, octet) => (total * 31 + octet) >>> 0, 7);
  return classic[sum % classic.length] ?? "#7eb26d";
}

/** Lighter and darker by turns. */
function shade(colour: string, nth: number): string {
  const share = Math.min(0.6, Math.ceil(nth / 2) * 0.18);
  const to = nth % 2 === 0 ? 0 : 255;
  const parts = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  return `#${parts
    .map((part) =>
      Math.round(part + (to - part) * share)
        .toString(16)
        .padStart(2, "0"),
    )
    .join("")}`;
}
