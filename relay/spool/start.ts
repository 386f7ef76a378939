/**
 * Fresh mail goes straight from who commits it to who delivers it, without being read back, as long as there is room.
 *
 * Promise: a place is kept before the message is written, so that delivery holds no more than it may; it is given back when the
 * message is refused. What is durable was taken, whatever becomes of it afterwards.
 */
import type { Entry, NewMessage } from "./message/message.ts";
import type { Outcomes, Spool } from "./verbs.ts";

/** Delivery, as those who commit know it. */
export interface Starter {
  /** Keeps a place for a message that is about to be written; undefined when there is none. */
  reserve(message: NewMessage): Place | undefined;
  /** A message is in the spool, or back in it, that nobody has started on: the first of its recipients is due then. */
  arrived(dueAt: number): void;
}

/** Until one of the two is called. */
export interface Place {
  /** The message is durable and its first attempt registered. */
  start(entry: Entry): void;
  /** It was refused after all. */
  cancel(): void;
}

/** The spool, as those know it who receive mail. */
export type ReceivingSpool = Pick<Spool, "begin" | "commit" | "readBody" | "isFull">;

export interface Starting<S> {
  readonly spool: S;
  readonly starter: Starter;
  readonly log: { error(facts: object, message: string): void };
}

/** A spool whose fresh mail is started on at once. */
export function startingAtOnce(starting: Starting<ReceivingSpool>): ReceivingSpool {
  const { spool, starter } = starting;
  return {
    begin: (id) => spool.begin(id),
    readBody: (id) => spool.readBody(id),
    isFull: () => spool.isFull(),
    async commit(message) {
      const wish = wishOf(message, starter);
      const entry = await kept([wish], spool.commit(wish.message));
      start(wish, entry, starting);
      return entry;
    },
  };
}

/** Settles, and starts at once on the notices that there is room for. */
export async function settleAndStart(starting: Starting<Pick<Spool, "settle">>, outcomes: Outcomes): Promise<void> {
  const { spool, starter } = starting;
  const wishes = (outcomes.notices ?? []).map((notice) => wishOf(notice, starter));
  const notices = wishes.map(({ message }) => message);
  const entries = await kept(wishes, spool.settle({ ...outcomes, notices }));
  for (const wish of wishes) {
    const { id } = wish.message.message;
    const entry = entries.find(({ message }) => message.id === id);
    start(wish, entry, starting);
  }
}

interface Wish {
  readonly message: NewMessage;
  readonly place: Place | undefined;
}

function wishOf(message: NewMessage, starter: Starter): Wish {
  const place = starter.reserve(message);
  return { message: { ...message, claim: place !== undefined }, place };
}

async function kept<T>(wishes: readonly Wish[], writing: Promise<T>): Promise<T> {
  try {
    return await writing;
  } catch (error) {
    for (const { place } of wishes) place?.cancel();
    throw error;
  }
}

/** Never throws. Delivery that fails at a message gets it back when its claim ends. */
function start({ message, place }: Wish, entry: Entry | undefined, { starter, log }: Starting<unknown>): void {
  try {
    if (place !== undefined && entry !== undefined) place.start(entry);
    else starter.arrived(message.dueAt);
  } catch (error) {
    log.error({ spoolId: message.message.id, error: String(error) }, "delivery could not take a message");
    place?.cancel();
  }
}
