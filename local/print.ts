/** What local mode says while it runs: one line for each thing that happened, and nothing that only repeats. */
import type { Condition } from "../api/condition.ts";
import { capturedFile, type CapturedMessage } from "./capture/record.ts";
import { nameOf } from "../operator/kube/kube.ts";
import type { StatusChange } from "./kube.ts";
import { lineKey, type MailEvent, mailLine, type Paint } from "./mailline.ts";
import type { Problem } from "./manifests.ts";
import type { Happening } from "./page/story.ts";
import type { PodExit, PodFields } from "./pod.ts";
import { printable } from "../runtime/terminal.ts";
import { drawWaterfall } from "./trace/draw.ts";
import { SpanGathering } from "./trace/gathering.ts";
import type { Waterfall } from "./trace/waterfall.ts";

/** Recipients of one transaction are reported one by one by the relay within this time. */
const gatherMs = 40;
/** More waterfalls than this in a second are for nobody's eyes; the page has them all. */
const waterfallsPerSecond = 4;
/** Captured messages whose outcome line never comes (the relay was killed in between) are forgotten beyond this number. */
const keptRecords = 1000;

interface Pending {
  readonly event: MailEvent;
  recipients: number;
}

export interface PrinterSettings {
  readonly write: (text: string) => void;
  readonly paint: Paint;
  readonly captureDirectory: string;
  readonly now: () => number;
}

export class Printer {
  readonly #settings: PrinterSettings;
  readonly #captured = new Map<string, CapturedMessage>();
  readonly #pending = new Map<string, Pending>();
  readonly #spans = new SpanGathering();
  /** When the last waterfalls were drawn. */
  #drawn: number[] = [];
  #undrawn = 0;
  #problems = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(settings: PrinterSettings) {
    this.#settings = settings;
  }

  say(text: string): void {
    this.#settings.write(`${text}\n`);
  }

  warn(text: string): void {
    this.say(this.#settings.paint("warning", text));
  }

  fail(text: string): void {
    this.say(this.#settings.paint("bad", text));
  }

  /** What happened to a message: a line each, and the hops of an attempt below it. */
  take(happening: Happening): void {
    switch (happening.kind) {
      case "captured":
        return this.#captureKnown(happening.message);
      case "mail":
        // That it was taken is soon followed by what became of it.
        if (happening.event.msg !== "accepted") this.#queue(happening.event);
        return;
      case "span":
        if (this.#spans.take(happening)) this.#flushSoon();
        return;
      case "answer":
      case "waiting":
    }
  }

  #captureKnown(message: CapturedMessage): void {
    this.#captured.set(message.file, message);
    for (const file of this.#captured.keys()) {
      if (this.#captured.size <= keptRecords) return;
      this.#captured.delete(file);
    }
  }

  /** Any other line of a relay's log: warnings pass through, the rest is for the log alone. */
  relayLine(pod: string, fields: PodFields): void {
    const { level, msg, time: _time, program: _program, ...rest } = fields;
    if (level !== "warn" && level !== "error" && level !== "fatal") return;
    const detail = Object.entries(rest).map(([name, value]) => `${name}=${spell(value)}`);
    const text = printable([`${pod}:`, String(msg), ...detail].join(" "));
    if (level === "warn") this.warn(text);
    else this.fail(text);
  }

  relayText(pod: string, text: string): void {
    this.fail(printable(`${pod}: ${text}`));
  }

  relayExit(pod: string, exit: PodExit): void {
    const when = exit.restartInMs === 0 ? "at once" : `in ${exit.restartInMs / 1000} s`;
    this.warn(`${pod} ended (${exit.cause}); it is started again ${when}`);
  }

  /** Problems that were not there the last time, and those that are gone. */
  problems(problems: readonly Problem[]): void {
    const texts = new Set(problems.map(problemText));
    for (const text of texts) {
      if (!this.#problems.has(text)) this.fail(text);
    }
    if (this.#problems.size > 0 && texts.size === 0) this.say("every manifest is good again");
    this.#problems = texts;
  }

  status(change: StatusChange): void {
    const before = new Map((change.before.status?.conditions ?? []).map((entry) => [entry.type, entry]));
    const { kind, metadata } = change.object;
    for (const condition of change.object.status?.conditions ?? []) {
      if (isWorthALine(condition, before.get(condition.type))) {
        const words = `${condition.type}=${condition.status} ${condition.reason}: ${condition.message}`;
        const text = printable(`${kind} ${nameOf(metadata)}: ${words}`);
        if (condition.status === "False" || condition.reason === "SpoolNotEmpty") this.warn(text);
        else this.say(this.#settings.paint("quiet", text));
      }
    }
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const waterfalls = new Map(this.#spans.ended());
    const groups = Map.groupBy(this.#pending.values(), ({ event }) => event.spoolId ?? "");
    for (const [spoolId, group] of groups) {
      for (const pending of group) this.say(this.#line(pending));
      this.#draw(waterfalls.get(spoolId));
      waterfalls.delete(spoolId);
    }
    this.#pending.clear();
    for (const [spoolId, waterfall] of waterfalls) this.#draw(waterfall, spoolId);
  }

  #line({ event, recipients }: Pending): string {
    const file = event.msg === "delivered" ? capturedFile(event.reply) : undefined;
    const captured = file === undefined ? undefined : this.#captured.get(file);
    if (file !== undefined) this.#captured.delete(file);
    return mailLine({ event, captured, recipients, directory: this.#settings.captureDirectory }, this.#settings.paint);
  }

  /** With the spool id when the line it belongs to has gone before. */
  #draw(waterfall: Waterfall | undefined, spoolId?: string): void {
    if (waterfall === undefined) return;
    const now = this.#settings.now();
    this.#drawn = this.#drawn.filter((at) => now - at < 1000);
    if (this.#drawn.length >= waterfallsPerSecond) {
      this.#undrawn += 1;
      return;
    }
    this.#drawn.push(now);
    if (this.#undrawn > 0)
      this.say(this.#settings.paint("quiet", `(hops of ${this.#undrawn} messages in between are on the page)`));
    this.#undrawn = 0;
    if (spoolId !== undefined) this.say(this.#settings.paint("quiet", `hops of ${spoolId}:`));
    for (const line of drawWaterfall(waterfall, this.#settings.paint)) this.say(line);
  }

  #queue(event: MailEvent): void {
    const key = event.msg === "refused" ? `${event.time} ${this.#pending.size}` : lineKey(event);
    const pending = this.#pending.get(key);
    const recipients = event.recipients ?? 1;
    if (pending === undefined) this.#pending.set(key, { event, recipients });
    else pending.recipients += recipients;
    this.#flushSoon();
  }

  #flushSoon(): void {
    this.#timer ??= setTimeout(() => this.flush(), gatherMs);
  }
}

export function problemText(problem: Problem): string {
  const place = problem.line > 0 ? `${problem.file}:${problem.line}` : problem.file;
  const object = problem.object === undefined ? "" : ` ${problem.object}:`;
  const path = problem.path === "" ? "" : ` ${problem.path}`;
  return `${place}:${object}${path} ${problem.message}; what held before still holds`;
}

/** Mistakes and their end, and readiness; what is on its way says nothing until it has arrived. */
function isWorthALine(condition: Condition, before: Condition | undefined): boolean {
  if (condition.type === "Reconciling" || condition.type === "Stalled" || condition.type === "DNSVerified")
    return false;
  const isSame =
    before?.status === condition.status && before.reason === condition.reason && before.message === condition.message;
  if (isSame) return false;
  if (condition.type === "Draining") return condition.status === "True" && condition.reason !== before?.reason;
  if (condition.type === "Ready") return condition.status === "True" && before?.status !== "True";
  if (["Programmed", "Available"].includes(condition.type)) return condition.reason === "ConfigurationRefused";
  if (condition.status === "False") return condition.reason !== "Pending" && condition.reason !== "NotDraining";
  return (
    condition.reason === "NotActedOnYet" ||
    condition.reason === "NoSenders" ||
    condition.reason === "SendersIncomplete" ||
    isMended(before)
  );
}

/** What was only on its way has not been complained of, so its arrival is no news. */
function isMended(before: Condition | undefined): boolean {
  return before?.status === "False" && before.reason !== "Pending";
}

function spell(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
