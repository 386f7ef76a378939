/**
 * Keys that tokens are signed with and that are in no document. An issuer may have begun to sign with a new one a moment ago: who shows
 * such a token is answered for now, and the report says of which issuer, so that the operator reads its keys again. A key that has not
 * come after that time does not exist, or not for us, and its tokens are refused like any wrong login.
 *
 * Anybody can invent key ids. They cost a place in a list that is bounded, and make the operator read keys once a minute at most;
 * none of them ever lets anybody in. A list that is full forgets the oldest, whose tokens are then answered for now once more.
 */

/**
 * Nearly three minutes may pass though all is well: ten seconds until the operator sees the report, a minute when it has read the
 * issuer just before, and as much again and a half until the kubelet brings what was written. The rest is for an API server or an
 * issuer that is away for some minutes, as it likely is while its keys change.
 */
const patienceMs = 600_000;
/** The operator looks at reports every ten seconds, less often where there are hundreds of relays. */
const reportedMs = 90_000;
const forgottenMs = 3_600_000;
const idsOfAnIssuer = 64;

/** Whether a token of such a key is answered for now, or for good. */
export type UnknownKeyAnswer = "awaited" | "refused";

interface OfIssuer {
  /** By id: when it was shown first. In that order. */
  readonly firstSeen: Map<string, number>;
  awaitedAt: number;
}

export class UnknownKeys {
  readonly #issuers = new Map<string, OfIssuer>();

  /** A token of this issuer was shown whose key nobody has brought. */
  seen(issuer: string, keyId: string, now: number): UnknownKeyAnswer {
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
