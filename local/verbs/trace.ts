/** The verb `trace`: a message's way as text, from what the state folder tells of it; whether local mode runs or not. */
import { join } from "node:path";
import { detailOf, type StoryDetail } from "../page/detail.ts";
import { outlineOf } from "../page/outline.ts";
import type { Step, StoryOutline } from "../page/shapes.ts";
import type { History, Story } from "../page/story.ts";
import { lineOf, type Style } from "../terminal/paint.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { drawWaterfall } from "../trace/draw.ts";
import { findStories } from "./find.ts";
import { type Past, readPast } from "./past.ts";
import { ageWords } from "./spool.ts";
import { requireState } from "./statefolder.ts";

export interface TraceOptions {
  readonly state: string;
  readonly id: string | undefined;
  readonly terminal: Omit<Terminal, "isTerminal">;
  readonly now: () => number;
}

const listed = 20;
const newestListed = 10;

/** Resolves to the exit code: 1 when nothing is known of it. Throws UsageError. */
export async function tellTrace(options: TraceOptions): Promise<number> {
  const { state, id, terminal } = options;
  await requireState(state);
  const past = await readPast(state);
  const found = id === undefined ? past.history.stories.toReversed() : await findStories(id, past, state);
  const [first, ...others] = found;
  if (first === undefined) {
    terminal.write(`${nothingWords(id, state)}\n`);
    return 1;
  }
  const lines =
    id !== undefined && others.length === 0
      ? storyLines(first, past, options)
      : listLines(found, past.history, options);
  terminal.write(`${lines.join("\n")}\n`);
  return 0;
}

function nothingWords(id: string | undefined, state: string): string {
  if (id === undefined) return `no message has come to ${state} yet`;
  return (
    `nothing is known of ${id} in ${state}: ID is a spool id (the client's 250 has it), a Message-ID, a trace id, an address ` +
    "or words of a subject; without it the newest messages are listed"
  );
}

function listLines(stories: readonly Story[], history: History, { id, terminal }: TraceOptions): readonly string[] {
  const shown = stories.slice(0, id === undefined ? newestListed : listed);
  const hidden = stories.length - shown.length;
  const rows = shown.map((story) => {
    const outline = outlineOf(story, history);
    return lineOf(
      [
        { text: story.id },
        { text: terminal.clock(outline.at), style: "quiet" },
        { text: outline.standing, style: styleOf(outline) },
        { text: outline.to[0] ?? "" },
        { text: subjectWords(outline.subject), style: "strong" },
      ],
      terminal.paint,
      terminal.columns(),
    );
  });
  const rest = hidden > 0 ? [`and ${hidden} older ones`] : [];
  const which = id === undefined ? "the newest first" : `${stories.length} messages fit ${id}, the newest first`;
  return [`${which}; make trace ID=... tells one's way:`, ...rows, ...rest];
}

function storyLines(story: Story, { history, waiting }: Past, options: TraceOptions): readonly string[] {
  const { terminal, state, now } = options;
  const detail = detailOf(story, history);
  const line = (text: string, style?: Style): string =>
    lineOf([style === undefined ? { text } : { text, style }], terminal.paint, terminal.columns());
  const waits = detail.spoolIds.flatMap((id) => waiting.get(id) ?? []);
  return [
    line(subjectWords(detail.subject) || "(its subject is not known)", "strong"),
    line(`from ${detail.from === "" ? "nobody (a notice)" : detail.from} to ${detail.to.join(", ")}`),
    lineOf(
      [
        { text: detail.standing, style: styleOf(detail) },
        { text: detail.dkim === undefined ? "" : `dkim=${detail.dkim}` },
      ],
      terminal.paint,
      terminal.columns(),
    ),
    ...detail.steps.map((step) => stepLine(step, terminal)),
    ...detail.traces.flatMap((trace) => [
      line(`trace ${trace.traceId}`, "quiet"),
      ...drawWaterfall(trace, terminal.paint, terminal.columns()),
    ]),
    ...waits.flatMap(({ pod, recipients }) =>
      recipients.map(({ address, dueAt }) =>
        line(
          `waits in the spool of ${pod} for ${address}, ` +
            (dueAt === undefined
              ? "set aside"
              : `next attempt ${dueAt <= now() ? "now" : `in ${ageWords(dueAt - now())}`}`),
        ),
      ),
    ),
    ...detail.copies.map(({ file }) => `arrived as ${join(state, "captured", file)}`),
    ...aboutLines(detail),
  ];
}

function stepLine({ at, what, text, tone, notice }: Step, { paint, columns, clock }: TraceOptions["terminal"]): string {
  const pieces = [
    { text: clock(at), style: "quiet" as const },
    tone === "plain" ? { text: what } : { text: what, style: tone },
    { text: notice === undefined ? text : `${text}, ${notice}` },
  ];
  return `  ${lineOf(pieces, paint, withoutIndent(columns()))}`;
}

function withoutIndent(columns: number | undefined): number | undefined {
  return columns === undefined ? undefined : columns - 2;
}

function aboutLines({ noticeOf, spoolIds }: StoryDetail): readonly string[] {
  return [
    ...(noticeOf === undefined
      ? []
      : [`it is a notice about ${noticeOf.id} ${subjectWords(noticeOf.subject)}`.trimEnd()]),
    ...(spoolIds.length > 1 ? [`spool ids on its way: ${spoolIds.join(", ")}`] : []),
  ];
}

function subjectWords(subject: string | undefined): string {
  if (subject === undefined) return "";
  return subject.trim() === "" ? "(no subject)" : `"${subject}"`;
}

function styleOf({ standing }: StoryOutline): Style {
  switch (standing) {
    case "delivered":
    case "captured":
      return "good";
    case "waiting":
    case "retrying":
      return "warning";
    case "partly bounced":
    case "bounced":
    case "refused":
    case "lost":
      return "bad";
  }
}
