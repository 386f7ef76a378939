/** Server-sent events (HTML standard, section 9.2) with a bounded memory: who was away for longer starts anew. */
import type { ServerResponse } from "node:http";

const keptEvents = 500;
const heartbeatMs = 20_000;
/** A reader that lets this much lie unread is gone or stuck; it will come back and start anew. */
const largestBacklogBytes = 1_048_576;

interface FeedEvent {
  readonly number: number;
  readonly text: string;
}

export class Feed {
  readonly #readers = new Set<ServerResponse>();
  /** Tells this run from others: numbers start again with each. */
  readonly #run: string;
  #events: FeedEvent[] = [];
  #number = 0;
  readonly #heartbeat: NodeJS.Timeout;

  constructor(run: string) {
    this.#run = run;
    this.#heartbeat = setInterval(() => this.#send(": still here\n\n"), heartbeatMs);
    this.#heartbeat.unref();
  }

  publish(name: string, data: unknown): void {
    this.#number += 1;
    const text = `id: ${this.#run}-${this.#number}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
    this.#events.push({ number: this.#number, text });
    if (this.#events.length > keptEvents) this.#events = this.#events.slice(-keptEvents / 2);
    this.#send(text);
  }

  /** Somebody has the page open. */
  get isFollowed(): boolean {
    return this.#readers.size > 0;
  }

  /** `lastId` is what the browser saw last; without it, or when that is too long ago, it is told to read the list. */
  follow(response: ServerResponse, lastId: string | undefined): void {
    response.write(`retry: 1000\n\n${this.#missed(lastId)}`);
    this.#readers.add(response);
    response.once("close", () => this.#readers.delete(response));
  }

  close(): void {
    clearInterval(this.#heartbeat);
    for (const response of this.#readers) response.destroy();
  }

  #missed(lastId: string | undefined): string {
    const [run, digits] = (lastId ?? "").split("-");
    const seen = Number(digits);
    const first = this.#events[0]?.number ?? this.#number + 1;
    const isKnown = run === this.#run && Number.isInteger(seen) && seen >= first - 1 && seen <= this.#number;
    if (!isKnown) return `id: ${this.#run}-${this.#number}\nevent: list\ndata: {}\n\n`;
    return this.#events
      .filter(({ number }) => number > seen)
      .map(({ text }) => text)
      .join("");
  }

  #send(text: string): void {
    for (const response of this.#readers) {
      if (response.writableLength > largestBacklogBytes) response.destroy();
      else response.write(text);
    }
  }
}
