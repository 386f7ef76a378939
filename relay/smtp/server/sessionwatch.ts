/** One session's time: who the client is to us, and a timer that looks again when the deadline has moved on meanwhile. */
import { deadlineOf, handshaken, handshaking, known, progressed, type Patience, type Standing } from "./patience.ts";

export interface Watched {
  /** `reply`: the client waits for us; `message`: it sends one, and the idle timeout of the socket counts. */
  readonly busyWith: () => "reply" | "message" | undefined;
  readonly timeOut: () => void;
}

/** How soon a session is looked at again whose time is over while a login is still being checked. */
const pendingMs = 1000;

export class SessionWatch {
  readonly #patience: Patience;
  readonly #watched: Watched;
  #standing: Standing = { kind: "stranger", since: performance.now() };
  #timer: NodeJS.Timeout | undefined;

  constructor(patience: Patience, watched: Watched) {
    this.#patience = patience;
    this.#watched = watched;
  }

  get standing(): Standing {
    return this.#standing;
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

  #look(): void {
    const busy = this.#watched.busyWith();
    if (busy !== undefined) this.progressed();
    if (performance.now() < deadlineOf(this.#standing, this.#patience)) return this.start();
    if (busy === undefined) return this.#watched.timeOut();
    this.#timer = setTimeout(() => this.#look(), pendingMs).unref();
  }
}
