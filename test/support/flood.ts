/**
 * Many messages over many connections, as a client that never gives up sends them: what was not answered 250 is sent again
 * under a new name, so that the ledger can tell a client's repetition from a relay's.
 */
import { ConnectionLost, WireClient } from "./send.ts";
import { sender, simpleMessage, subjectOf } from "./stage.ts";
import { until } from "./until.ts";
import { setTimeout as pause } from "node:timers/promises";
import type { ReceivedMail } from "./nexthop.ts";

export interface FloodOptions {
  readonly port: () => number;
  readonly messages: number;
  readonly connections: number;
  /** Name and password, for a listener that wants them inside STARTTLS. */
  readonly login?: { readonly name: string; readonly password: string };
  /** Told after each 250. */
  readonly onAccepted?: (accepted: number) => void;
  readonly sender?: string;
  /** Of the message with that number. */
  readonly recipientOf?: (number: number) => string;
  /** Asked before each message; true ends the flood before its number of messages. */
  readonly isOver?: () => boolean;
  /** Before each try of a message. */
  readonly pauseMs?: number;
}

export interface FloodLedger {
  /** Subjects that were answered 250. */
  readonly accepted: ReadonlySet<string>;
  /** Subjects that were sent, whatever became of them. */
  readonly sent: ReadonlySet<string>;
}

export async function flood(options: FloodOptions): Promise<FloodLedger> {
  const accepted = new Set<string>();
  const sent = new Set<string>();
  let next = 0;
  const client = async (): Promise<void> => {
    let connection: WireClient | undefined;
    const isOver = options.isOver ?? (() => false);
    for (let number = next++; number < options.messages && !isOver(); number = next++) {
      const recipient = options.recipientOf?.(number) ?? "someone@example.org";
      for (let attempt = 1; ; attempt += 1) {
        if (options.pauseMs !== undefined) await pause(options.pauseMs);
        const subject = `message ${number} attempt ${attempt}`;
        connection ??= await until("a connection to the relay", () => tryOpen(options), 60_000);
        sent.add(subject);
        if (await trySend(connection, { subject, recipient, from: options.sender ?? sender })) {
          accepted.add(subject);
          options.onAccepted?.(accepted.size);
          break;
        }
        connection.destroy();
        connection = undefined;
      }
    }
    connection?.destroy();
  };
  await Promise.all(Array.from({ length: options.connections }, client));
  return { accepted, sent };
}

/** Undefined when nobody listens, or who does is on the way out. */
async function tryOpen(options: FloodOptions): Promise<WireClient | undefined> {
  try {
    const client = await WireClient.open(options.port());
    const hello = await client.hello();
    if (hello.code !== 250) {
      client.destroy();
      return undefined;
    }
    if (options.login === undefined) return client;
    await client.startTls();
    await client.command("EHLO client.example.net");
    const login = await client.authPlain(options.login.name, options.login.password);
    return login.code === 235 ? client : undefined;
  } catch {
    return undefined;
  }
}

/** False means try again on a new connection: it broke, or the answer was 4xx. Rejects on 5xx, which no repetition mends. */
async function trySend(
  client: WireClient,
  { subject, recipient, from }: { readonly subject: string; readonly recipient: string; readonly from: string },
): Promise<boolean> {
  try {
    const reply = await client.send(from, [recipient], simpleMessage(subject, from));
    if (reply.code >= 500) throw new Error(`${subject}: ${reply.code} ${reply.text}`);
    return reply.code === 250;
  } catch (error) {
    if (error instanceof ConnectionLost) return false;
    throw error;
  }
}

export interface Reconciliation {
  /** Answered 250 and never arrived. */
  readonly lost: readonly string[];
  /** Arrivals beyond the first of each. */
  readonly duplicates: number;
}

export function reconcile(ledger: FloodLedger, arrived: readonly ReceivedMail[]): Reconciliation {
  const subjects = arrived.map((mail) => subjectOf(mail.message));
  const distinct = new Set(subjects);
  return {
    lost: [...ledger.accepted].filter((subject) => !distinct.has(subject)),
    duplicates: subjects.length - distinct.size,
  };
}
