/** The page `/trace?id=`: one message's story, for a command that runs beside the relay. */
import type { MessageStory, StoryAnswer } from "../../api/messagestory.ts";
import type { Page, PageRequest } from "../../runtime/health.ts";
import type { MessageHistory, Story } from "../observe/history.ts";

export interface StoryPageOptions {
  readonly history: MessageHistory;
  /** ms since the epoch. */
  readonly startedAt: number;
}

/** Only over loopback: what is scraped by many is for counts, the story of a message for who may enter the container. */
export function storyPage({ query, isLocal }: PageRequest, options: StoryPageOptions): Page {
  if (!isLocal) return plain(403, "stories are told over loopback only: use `trace ID` inside the container");
  const id = query.get("id");
  if (id === null || id === "") return plain(400, "ask for /trace?id= with a spool id or a Message-ID");
  const body = `${JSON.stringify(answerOf(id, options))}\n`;
  return { status: 200, contentType: "application/json", body };
}

function answerOf(id: string, { history, startedAt }: StoryPageOptions): StoryAnswer {
  const asked = history.find(id);
  const notices = asked.flatMap(({ events }) =>
    events.flatMap(({ line }) => ("noticeId" in line ? history.find(line.noticeId) : [])),
  );
  return {
    version: 1,
    startedAt: new Date(startedAt).toISOString(),
    remembered: history.size,
    stories: [...asked, ...notices].map(storyDocument),
  };
}

function storyDocument({ head, events, forgotten }: Story): MessageStory {
  const { spoolId, domain, acceptedAt, sizeBytes, destinations } = head;
  return {
    spoolId,
    domain,
    acceptedAt: new Date(acceptedAt).toISOString(),
    sizeBytes,
    ...(destinations === undefined ? {} : { destinations: { ...destinations } }),
    forgotten,
    events: events.map(({ kind, at, line }) => ({ at: new Date(at).toISOString(), event: kind, ...definedOf(line) })),
  };
}

/** The fields that every event of a message shares are those of the story. */
function definedOf(line: object): Record<string, unknown> {
  const fields = Object.entries(line).filter(([name, value]) => value !== undefined && !shared.has(name));
  return Object.fromEntries(fields);
}

const shared: ReadonlySet<string> = new Set(["spoolId", "domain"]);

function plain(status: number, text: string): Page {
  return { status, contentType: "text/plain; charset=utf-8", body: `${text}\n` };
}
