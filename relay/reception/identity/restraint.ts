/**
 * One client's logins, held back by how often they failed (relay/limits/failedlogins.ts says when).
 *
 * Only what can be guessed is held back, which is a password; a token or a certificate that is wrong counts all the same. Names are
 * kept as digests, because a client may invent long ones, and wrong passwords as digests under a key of this process.
 */
import { createHash, createHmac, randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { prepareUsername } from "../../../api/login.ts";
import type { LoginLimits, LoginTurn } from "../../limits/failedlogins.ts";
import { refusal, type Refusal } from "../../mail/reply.ts";

/** A login that was not looked at, or only after a while. */
export type HeldBack = Exclude<LoginTurn, { readonly kind: "at once" }>;

export interface RestraintOptions {
  readonly limits: LoginLimits;
  readonly client: string;
  /** A network that is trusted needs no password, and guesses none. */
  readonly isSpared: () => boolean;
  /** Before a login of a client is looked at that is to be slow. */
  readonly slowMs: number;
  readonly onHeldBack: (turn: HeldBack) => void;
}

const secret = randomBytes(32);

export class Restraint {
  readonly #options: RestraintOptions;
  #user: string | undefined;
  #shown: string | undefined;
  #hasWaited = false;

  constructor(options: RestraintOptions) {
    this.#options = options;
  }

  /** Another exchange, of nobody yet. */
  begin(): void {
    this.#user = undefined;
    this.#shown = undefined;
    this.#hasWaited = false;
  }

  /** A name and, where it is there to see, a password; the answer comes when it may be looked at, or says why it is not. */
  async turn(username: string, password?: string): Promise<Refusal | undefined> {
    this.named(username);
    this.#shown = password === undefined ? undefined : createHmac("sha256", secret).update(password).digest("base64");
    return this.#inTurn();
  }

  named(username: string): void {
    this.#user = createHash("sha256").update(prepareUsername(username)).digest("base64");
  }

  /** Counts it. Resolves when the client may be told of it: after the wait of a slowed login, where the login itself has not waited. */
  async failed(): Promise<void> {
    const { limits, client } = this.#options;
    if (this.#isSpared) return;
    limits.failed({ client, user: this.#user, shown: this.#shown });
    // What cannot be guessed was looked at at once.
    if (this.#user === undefined) await this.#inTurn();
  }

  succeeded(): void {
    this.#options.limits.succeeded({ client: this.#options.client, user: this.#user });
  }

  get #isSpared(): boolean {
    return this.#options.isSpared();
  }

  async #inTurn(): Promise<Refusal | undefined> {
    const { limits, client, onHeldBack, slowMs } = this.#options;
    const turn = this.#isSpared ? undefined : limits.turn({ client, user: this.#user });
    if (turn === undefined || turn.kind === "at once") return undefined;
    if (turn.kind === "slowly" && this.#hasWaited) return undefined;
    onHeldBack(turn);
    if (turn.kind === "refused") return tooMany(turn);
    this.#hasWaited = true;
    await delay(slowMs, undefined, { ref: false });
    return undefined;
  }
}

const whose = { user: "of this user", "client and user": "of this user from your address" } as const;

/** 421 and not 454: the session is of no use to the client, and each further try would be one more. */
function tooMany({ by, waitMs }: Extract<LoginTurn, { kind: "refused" }>): Refusal {
  const seconds = Math.ceil(waitMs / 1000);
  return refusal(421, "4.7.0", `Too many failed logins ${whose[by]}, try again in ${seconds} s`);
}
