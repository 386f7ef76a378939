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
  reserve(message: NewMessage): Reservation | undefined;
  /** A message is in the spool, or back in it, that nobody has started on: the first of its recipients is due then. */
  arrived(dueAt: number): void;
}

/** Until one of the two is called. */
export interface Reservation {
  /** The message is durable and its first attempt registered. Throws only while nothing of it was taken. */
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
      const entry = await kept([wish], spool.commit(wish.message), starting);
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
  const entries = await kept(wishes, spool.settle({ ...outcomes, notices }), starting);
  for (const wish of wishes) {
    const { id } = wish.message.message;
    const entry = entries.find(({ message }) => message.id === id);
    start(wish, entry, starting);
  }
}

interface Wish {
  readonly message: NewMessage;
  readonly reservation: Reservation | undefined;
}

function wishOf(message: NewMessage, starter: Starter): Wish {
  const reservation = starter.reserve(message);
  return { message: { ...message, claim: reservation !== undefined }, reservation };
}

async function kept<T>(wishes: readonly Wish[], writing: Promise<T>, starting: Starting<unknown>): Promise<T> {
  try {
    return await writing;
  } catch (error) {
    for (const wish of wishes) cancel(wish, starting);
    throw error;
  }
}

/**
 * Never throws: the message is durable, and who has sent it must not hear otherwise. Delivery that fails at it gets it back when its
 * claim ends.
 */
function start(wish: Wish, entry: Entry | undefined, starting: Starting<unknown>): void {
  const { message, reservation } = wish;
  if (reservation !== undefined && entry !== undefined) {
    if (!succeeds(() => reservation.start(entry), wish, starting)) cancel(wish, starting);
    return;
  }
  cancel(wish, starting);
  succeeds(() => starting.starter.arrived(message.dueAt), wish, starting);
}

/** Never throws: the place is free before delivery looks for others to fill it. */
function cancel(wish: Wish, starting: Starting<unknown>): void {
  succeeds(() => wish.reservation?.cancel(), wish, starting);
}

function succeeds(act: () => void, { message }: Wish, { log }: Starting<unknown>): boolean {
  try {
    act();
    return true;
  } catch (error) {
    log.error({ spoolId: message.message.id, error: String(error) }, "delivery could not take a message");
    return false;
  }
}
