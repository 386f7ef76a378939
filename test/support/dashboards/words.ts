/** Values as Grafana writes them, near enough for a picture. */

export interface Worded {
  readonly value: number;
  readonly unit: string;
  /** Seconds since the epoch, for units that count from it. */
  readonly now: number;
}

export function worded({ value, unit, now }: Worded): string {
  if (!Number.isFinite(value)) return "–";
  if (unit.startsWith("suffix:")) return `${trimmed(value)} ${unit.slice("suffix:".length)}`;
  switch (unit) {
    case "s":
      return durationWords(value);
    case "percentunit":
      return `${trimmed(value * 100)} %`;
    case "bytes":
    case "Bps":
      return `${scaled(value, 1024, ["B", "KiB", "MiB", "GiB"])}${unit === "Bps" ? "/s" : ""}`;
    case "reqps":
      return `${trimmed(value)} req/s`;
    case "dateTimeFromNow":
      return agoWords(now - value / 1000);
    case "short":
      return scaled(value, 1000, ["", "K", "Mil"]).trim();
    default:
      throw new Error(`no words for the unit ${unit}`);
  }
}

const spans = [
  [86_400, "days"],
  [3_600, "hours"],
  [60, "mins"],
  [1, "s"],
] as const;

function durationWords(value: number): string {
  if (value !== 0 && Math.abs(value) < 1) return `${trimmed(value * 1000)} ms`;
  const [seconds, word] = spans.find(([each]) => Math.abs(value) >= each) ?? [1, "s"];
  return `${trimmed(value / seconds)} ${word}`;
}

function agoWords(seconds: number): string {
  if (seconds < 45) return "a few seconds ago";
  const [span, word] = spans.find(([each]) => seconds >= each) ?? [1, "s"];
  return `${Math.round(seconds / span)} ${word === "mins" ? "minutes" : word} ago`;
}

function scaled(value: number, base: number, units: readonly string[]): string {
  let left = value;
  let index = 0;
  while (Math.abs(left) >= base && index < units.length - 1) {
    left /= base;
    index += 1;
  }
  return `${trimmed(left)} ${units[index] ?? ""}`;
}

function trimmed(value: number): string {
  return Number(value.toPrecision(3)).toString();
}

/** Grafana's form of a name: `{{label}}`. */
export function named(legend: string, labels: Readonly<Record<string, string>>): string {
  return legend.replace(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? "").trim();
}
