/** Every transition of a message is one JSON line of the log and one event of its story: the same value goes to both. */
import type { Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import { MessageHistory } from "./history.ts";
import type { StoryHead, Transition } from "./transition.ts";

export interface Journal {
  /** `head` is asked for when the message is not known. */
  write(transition: Transition, head: () => StoryHead): void;
}

export interface JournalOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly history?: MessageHistory;
}

export function createJournal({ log, clock, history = new MessageHistory() }: JournalOptions): Journal {
  return {
    write(transition, head) {
      // Nobody is told of a double bounce, so it is a warning to those who read the log.
      if (transition.kind === "double bounce") log.warn(transition.line, transition.kind);
      else log.info(transition.line, transition.kind);
      history.add({ ...transition, at: clock.now() }, head);
    },
  };
}
