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

export interface Watched {
  /** `reply`: the client waits for us; `message`: it sends one, and the idle timeout of the socket counts. */
  readonly busyWith: () => "reply" | "message" | undefined;
  readonly timeOut: () => void;
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

  get isStranger(): boolean {
    return this.#standing.kind === "stranger";
  }

  /** Also after a deadline has come nearer. */
  start(): void {
    this.stop();
    const waitMs = Math.max(1, deadlineOf(this.#standing, this.#patience) - performance.now());
    this.#timer = setTimeout(() => this.#look(), waitMs).unref();
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
    if (performance.now() < deadlineOf(this.#standing, this.#patience)) return this.start();
    if (busy === undefined) return this.#watched.timeOut();
    this.#timer = setTimeout(() => this.#look(), pendingMs).unref();
  }
}
