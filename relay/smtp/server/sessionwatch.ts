/**
 * One session's patience: who the client is to us, how often it was refused, how much it has said, and a timer that looks again when
 * the deadline has moved on meanwhile.
 */
import {
  deadlineOf,
  handshaken,
  handshaking,
  isRefusal,
  isSlowed,
  isTooMany,
  known,
  progressed,
  type Patience,
  type Standing,
} from "./patience.ts";
import type { Overtime } from "./sessionend.ts";

/** The client waits for us, or sends a message, for which it has a time of its own. */
export type Business = { readonly kind: "reply" } | { readonly kind: "message"; readonly until: number };

export interface Watched {
  readonly busyWith: () => Business | undefined;
  readonly timeOut: (why: Overtime) => void;
}

/** How soon a session is looked at again whose time is over while an answer is still being waited for. */
const pendingMs = 1000;

export class SessionWatch {
  readonly #patience: Patience;
  readonly #watched: Watched;
  #standing: Standing = { kind: "stranger", since: performance.now() };
  #timer: NodeJS.Timeout | undefined;
  /** Since the last message that was taken. */
  #refusals = 0;
  #commands = 0;

  constructor(patience: Patience, watched: Watched) {
    this.#patience = patience;
    this.#watched = watched;
  }

  /** Also after a deadline has come nearer. */
  start(): void {
    this.stop();
    this.#lookAt(deadlineOf(this.#standing, this.#patience));
  }

  #lookAt(deadline: number): void {
    this.#timer = setTimeout(() => this.#look(), Math.max(1, deadline - performance.now())).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  known(): void {
    this.#standing = known(this.#standing, performance.now());
  }

  progressed(): void {
    this.#standing = progressed(this.#standing, performance.now());
  }

  handshaking(): void {
    this.#standing = handshaking(this.#standing, performance.now());
    this.start();
  }

  handshaken(): void {
    this.#standing = handshaken(this.#standing);
  }

  /** The client says something. */
  commanded(): void {
    this.#commands += 1;
  }

  /** How long its next command waits; undefined for who needs no brake. */
  pauseMs(isLoud: boolean): number | undefined {
    return isSlowed(this.#standing, { commands: this.#commands, isLoud }) ? this.#patience.pauseMs : undefined;
  }

  /** Counts a reply, where it is one to count; true when there were too many and the session is to end. */
  replied(reply: { readonly code: number; readonly enhanced: string }): boolean {
    if (!isRefusal(reply, this.#standing)) return false;
    this.#refusals += 1;
    // Each costs us more than the client.
    return reply.code !== 421 && isTooMany(this.#refusals, this.#standing);
  }

  /** A message was taken. */
  pardoned(): void {
    this.#refusals = 0;
  }

  #look(): void {
    const busy = this.#watched.busyWith();
    if (busy !== undefined) this.progressed();
    const deadline = busy?.kind === "message" ? busy.until : deadlineOf(this.#standing, this.#patience);
    if (performance.now() < deadline) return this.#lookAt(deadline);
    if (busy?.kind === "message") return this.#watched.timeOut("slow");
    if (busy === undefined) return this.#watched.timeOut(this.#standing.kind === "stranger" ? "stranger" : "idle");
    this.#timer = setTimeout(() => this.#look(), pendingMs).unref();
  }
}
