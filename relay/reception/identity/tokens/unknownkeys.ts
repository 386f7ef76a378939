/**
 * Keys that tokens are signed with and that are in no document. An issuer may have begun to sign with a new one a moment ago: who shows
 * such a token is answered for now, and the report says of which issuer, so that the operator reads its keys again. A key that has not
 * come after that time does not exist, or not for us, and its tokens are refused like any wrong login.
 *
 * Anybody can invent key ids. They cost a place in a list that is bounded, and make the operator read keys once a minute at most;
 * none of them ever lets anybody in. A list that is full forgets the oldest, whose tokens are then answered for now once more.
 */

/** The operator reads an issuer's keys at most once a minute, and needs some seconds to see the report and to bring them. */
const patienceMs = 150_000;
/** The operator looks at reports every ten seconds, less often where there are hundreds of relays. */
const reportedMs = 90_000;
const forgottenMs = 600_000;
const idsOfAnIssuer = 64;

export type Standing = "awaited" | "refused";

interface OfIssuer {
  /** By id: when it was shown first. In that order. */
  readonly firstSeen: Map<string, number>;
  awaitedAt: number;
}

export class UnknownKeys {
  readonly #issuers = new Map<string, OfIssuer>();

  /** A token of this issuer was shown whose key nobody has brought. */
  seen(issuer: string, keyId: string, now: number): Standing {
    const known = this.#issuers.get(issuer) ?? { firstSeen: new Map<string, number>(), awaitedAt: now };
    this.#issuers.set(issuer, known);
    const { firstSeen } = known;
    for (const [id, at] of firstSeen) {
      if (now - at < forgottenMs && firstSeen.size <= idsOfAnIssuer) break;
      firstSeen.delete(id);
    }
    const at = firstSeen.get(keyId) ?? now;
    firstSeen.set(keyId, at);
    if (now - at >= patienceMs) return "refused";
    known.awaitedAt = now;
    return "awaited";
  }

  /** Issuers whose keys should be read again. */
  awaited(now: number): readonly string[] {
    return [...this.#issuers].filter(([, { awaitedAt }]) => now - awaitedAt < reportedMs).map(([issuer]) => issuer);
  }
}
