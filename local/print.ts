/**
 * What local mode says while it runs: one thing that happened after the other, nothing that only repeats, and nothing as wrong that
 * is cured a moment later. Quiet, it says problems alone.
 */
import type { Condition } from "../api/condition.ts";
import type { ParentMessage } from "../api/parentmessage.ts";
import type { Timers } from "../runtime/clock.ts";
import { nameOf } from "../operator/kube/kube.ts";
import type { StatusChange } from "./kube.ts";
import type { MailEvent } from "./terminal/mailevent.ts";
import { lineKey, mailLines } from "./terminal/mailline.ts";
import type { Problem } from "./manifests/manifests.ts";
import type { Happening } from "./page/story.ts";
import type { PodExit, PodFields } from "./pods/pod.ts";
import { printable } from "../runtime/terminal.ts";
import { Held } from "./terminal/held.ts";
import { NameBook, type Names } from "./terminal/names.ts";
import type { Style } from "./terminal/paint.ts";
import type { Terminal } from "./terminal/terminal.ts";
import { drawWaterfall } from "./trace/draw.ts";
import { SpanGathering } from "./trace/gathering.ts";
import type { Waterfall } from "./trace/shape.ts";

/** Recipients of one transaction are reported one by one by the relay within this time. */
const gatherMs = 40;
/** More waterfalls than this in a second are for nobody's eyes; the page has them all. */
const waterfallsPerSecond = 4;
/** RFC 4954 section 6: a failed login, of which more is known than the relay's line says. */
const failedLogin = 535;

interface Pending {
  readonly event: MailEvent;
  recipients: number;
}

export interface PrinterSettings {
  readonly terminal: Omit<Terminal, "isTerminal">;
  /** Problems alone. */
  readonly quiet: boolean;
  readonly captureDirectory: string;
  readonly now: () => number;
  readonly timers: Timers;
}

export class Printer {
  readonly #settings: PrinterSettings;
  readonly #book = new NameBook();
  readonly #held: Held;
  readonly #pending = new Map<string, Pending>();
  readonly #spans = new SpanGathering();
  /** When the last waterfalls were drawn. */
  #drawn: number[] = [];
  #undrawn = 0;
  #problems = new Set<string>();
  /** Good news of a start, until the first page was shown: it comes first, whatever is ready sooner. */
  #early: string[] | undefined = [];
  #callOff: (() => void) | undefined;
  #ends = false;

  constructor(settings: PrinterSettings) {
    this.#settings = settings;
    this.#held = new Held(settings.timers);
  }

  /** What who asked for quiet does not want to hear. */
  say(text: string): void {
    if (!this.#settings.quiet) this.#write(text);
  }

  warn(text: string): void {
    this.#write(this.#paint("warning", text));
  }

  fail(text: string): void {
    this.#write(this.#paint("bad", text));
  }

  #write(line: string): void {
    this.#settings.terminal.write(`${line}\n`);
  }

  #paint(style: Style, text: string): string {
    return this.#settings.terminal.paint(style, text);
  }

  /** Whose message it is, as a relay tells it when it takes one; the subject decoded, empty when there is none. */
  told({ spoolId, from, to }: Extract<ParentMessage, { kind: "accepted" }>, subject: string): void {
    this.know(spoolId, { from, to, subject });
  }

  know(spoolId: string, names: Names): void {
    this.#book.know(spoolId, names);
  }

  isKnown(spoolId: string): boolean {
    return this.#book.isKnown(spoolId);
  }

  /** What happened to a message: a line each, and the hops of an attempt below it. */
  take(happening: Happening): void {
    switch (happening.kind) {
      case "captured":
        return this.#book.captured(happening.message);
      case "answer":
        return this.#book.answered(happening.answer);
      case "mail":
        return this.#mail(happening.event);
      case "span":
        if (this.#spans.take(happening)) this.#flushSoon();
        return;
      case "waiting": {
        const { spoolId, from, to, summary } = happening.waiting;
        if (!this.isKnown(spoolId)) this.know(spoolId, { from, to, subject: summary.subject });
      }
    }
  }

  #mail(event: MailEvent): void {
    this.#book.noticed(event);
    // That it was taken is soon followed by what became of it.
    if (event.msg === "accepted") return;
    if (event.msg === "refused" && event.code === failedLogin) return;
    this.#queue(event);
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
    if (this.#problems.size > 0 && texts.size === 0) this.#write("every manifest is good again");
    this.#problems = texts;
  }

  status(change: StatusChange): void {
    const before = new Map((change.before.status?.conditions ?? []).map((entry) => [entry.type, entry]));
    const { kind, metadata } = change.object;
    for (const condition of change.object.status?.conditions ?? []) {
      const earlier = before.get(condition.type);
      const name = `${kind} ${nameOf(metadata)}`;
      const words = `${condition.type}=${condition.status} ${condition.reason}: ${condition.message}`;
      this.#condition(`${name} ${condition.type}`, newsOf(condition, earlier), printable(`${name}: ${words}`));
    }
  }

  #condition(what: string, news: News, text: string): void {
    if (this.#ends) return;
    switch (news) {
      case "wrong":
        return this.#held.hold(what, () => this.warn(text));
      case "mended":
        if (!this.#held.cured(what)) this.#sayGood(text);
        return;
      case "told":
        this.#held.cured(what);
        return this.#sayGood(text);
      case "passed":
        this.#held.cured(what);
        return;
      case "none":
    }
  }

  #sayGood(text: string): void {
    if (this.#early === undefined) this.say(this.#paint("quiet", text));
    else this.#early.push(text);
  }

  /** The first page is there: what waited for it is said, and from now on all is said as it comes. */
  begin(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const text of early) this.#sayGood(text);
  }

  /** What comes now comes of the stop itself. */
  stopping(): void {
    this.#ends = true;
    this.#held.close();
    this.say("stopping");
  }

  flush(): void {
    this.#callOff?.();
    this.#callOff = undefined;
    const waterfalls = new Map(this.#spans.ended());
    const groups = Map.groupBy(this.#pending.values(), ({ event }) => event.spoolId ?? "");
    for (const [spoolId, group] of groups) {
      for (const pending of group) this.#tell(pending);
      this.#draw(waterfalls.get(spoolId));
      waterfalls.delete(spoolId);
    }
    this.#pending.clear();
    for (const [spoolId, waterfall] of waterfalls) this.#draw(waterfall, spoolId);
  }

  #tell({ event, recipients }: Pending): void {
    const isProblem = event.msg === "failed" || event.msg === "refused";
    if (this.#settings.quiet && !isProblem) return;
    const { terminal, captureDirectory: directory } = this.#settings;
    const whole = { ...event, recipients };
    for (const line of mailLines({ event: whole, seen: this.#book.of(whole), directory }, terminal)) this.#write(line);
  }

  /** With the spool id when the line it belongs to has gone before. */
  #draw(waterfall: Waterfall | undefined, spoolId?: string): void {
    if (waterfall === undefined || this.#settings.quiet) return;
    const now = this.#settings.now();
    this.#drawn = this.#drawn.filter((at) => now - at < 1000);
    if (this.#drawn.length >= waterfallsPerSecond) {
      this.#undrawn += 1;
      return;
    }
    this.#drawn.push(now);
    if (this.#undrawn > 0)
      this.say(this.#paint("quiet", `(hops of ${this.#undrawn} messages in between are on the page)`));
    this.#undrawn = 0;
    if (spoolId !== undefined) this.say(this.#paint("quiet", `hops of ${spoolId}:`));
    const { terminal } = this.#settings;
    for (const line of drawWaterfall(waterfall, terminal.paint, terminal.columns())) this.say(line);
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
    this.#callOff ??= this.#settings.timers.after(gatherMs, () => this.flush());
  }
}

export function problemText(problem: Problem): string {
  const place = problem.line > 0 ? `${problem.file}:${problem.line}` : problem.file;
  const object = problem.object === undefined ? "" : ` ${problem.object}:`;
  const path = problem.path === "" ? "" : ` ${problem.path}`;
  return `${place}:${object}${path} ${problem.message}; what held before still holds`;
}

/**
 * `wrong`: to be said when it stands. `mended`: the end of something that was said. `passed`: what was wrong is no more, which says
 * nothing by itself. `none`: as before.
 */
type News = "wrong" | "mended" | "told" | "passed" | "none";

const untold = new Set(["Reconciling", "Stalled", "DNSVerified"]);
const onItsWay = new Set(["Pending", "NotDraining"]);
const worthTelling = new Set([
  "NotActedOnYet",
  "MailCaptured",
  "NoSenders",
  "SendersIncomplete",
  "SendersExpiring",
  "Expiring",
  "Expired",
]);

/** Mistakes and their end, and readiness; what is on its way says nothing until it has arrived. */
function newsOf(condition: Condition, before: Condition | undefined): News {
  const { type, status, reason } = condition;
  if (untold.has(type)) return "none";
  if (before?.status === status && before.reason === reason && before.message === condition.message) return "none";
  if (type === "Draining") {
    if (status !== "True" || reason === before?.reason) return "passed";
    return reason === "SpoolNotEmpty" ? "wrong" : "told";
  }
  if (type === "Ready") return status === "True" && before?.status !== "True" ? "told" : "none";
  if (type === "Programmed" || type === "Available") {
    if (reason !== "ConfigurationRefused") return "passed";
    return status === "False" ? "wrong" : "told";
  }
  if (status === "False") return onItsWay.has(reason) ? "passed" : "wrong";
  if (worthTelling.has(reason)) return "told";
  // What was only on its way has not been complained of, so its arrival is no news.
  return before?.status === "False" && !onItsWay.has(before.reason) ? "mended" : "passed";
}

function spell(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
