/**
 * Units, by what is counted: Grafana has none for recipients, and "messages" for what are recipients would mislead. Numbers of
 * things have none, because the title names the thing; a number a second always has one.
 */

export const units = {
  messageRate: "suffix:msg/s",
  recipientRate: "suffix:rcpt/s",
  /** Of several kinds of things, which the names of the series tell. */
  rate: "suffix:/s",
  requestRate: "reqps",
  octetRate: "Bps",
  spanRate: "suffix:spans/s",
  seconds: "s",
  share: "percentunit",
  octets: "bytes",
  cores: "suffix:cores",
  /** What the title names: recipients, messages, pods. Long ones are shortened: 12.3 K. */
  number: "short",
  /** Of milliseconds since the epoch: "3 minutes ago". */
  since: "dateTimeFromNow",
} as const;

export type Unit = (typeof units)[keyof typeof units];

/** A limit as people say it: what stands in a description must be what is drawn. */
export function inWords(value: number, unit: string): string {
  if (unit === units.share) return `${trimmed(value * 100)} %`;
  if (unit === units.seconds) return secondsInWords(value);
  if (unit.startsWith("suffix:")) return `${trimmed(value)} ${unit.slice("suffix:".length)}`;
  return value.toLocaleString("en");
}

const spans: readonly (readonly [seconds: number, word: string])[] = [
  [86_400, "days"],
  [3_600, "h"],
  [60, "min"],
  [1, "s"],
];

function secondsInWords(value: number): string {
  if (value < 1) return `${trimmed(value * 1000)} ms`;
  const [seconds, word] = spans.find(([each]) => value >= each && value % each === 0) ?? [1, "s"];
  return `${trimmed(value / seconds)} ${word}`;
}

function trimmed(value: number): string {
  return String(Number(value.toPrecision(4)));
}
