/**
 * Which peer gets mail next, and when one that does not take any is asked again. Pure: time and chance are arguments.
 *
 * Whoever has least on its way comes first, so that a slow peer gets less. One that refused or could not be reached rests, twice
 * as long each time, and then is tried with a single message.
 */
import type { Peer } from "../../api/administration.ts";

export interface PeerState {
  readonly peer: Peer;
  /** Transfers under way. */
  readonly underWay: number;
  /** In a row. */
  readonly failures: number;
  /** ms since the epoch. */
  readonly restsUntil: number;
}

export type Choice =
  | { readonly kind: "give"; readonly peer: Peer; readonly limit: number; readonly isTrial: boolean }
  /** Nobody takes anything before then. */
  | { readonly kind: "rest"; readonly until: number }
  /** Enough is under way: a transfer that ends is the time to look again. */
  | { readonly kind: "busy" };

export interface Slots {
  /** Transfers at a time, to all peers. */
  readonly most: number;
  /** Messages that are marked in one transaction; fewer are not worth one while others are under way. */
  readonly batch: number;
}

/** Transfers share syncs at both ends, so there are many; each has at most a small body in memory. */
export const defaultSlots: Slots = { most: 64, batch: 16 };

const firstRestMs = 1_000;
const longestRestMs = 60_000;

/** `underWay`: transfers that an earlier order began. */
export function restedPeer(peer: Peer, underWay = 0): PeerState {
  return { peer, underWay, failures: 0, restsUntil: 0 };
}

/** `states` are the peers of the order in force; there is at least one. */
export function chooseNext(states: readonly PeerState[], slots: Slots, now: number): Choice {
  const underWay = states.reduce((sum, state) => sum + state.underWay, 0);
  const free = slots.most - underWay;
  if (free < slots.batch) return { kind: "busy" };
  const awake = states.filter(({ restsUntil }) => restsUntil <= now);
  // One that is on trial has its chance under way.
  const ready = awake.filter((state) => state.failures === 0 || state.underWay === 0);
  const first = ready.reduce<PeerState | undefined>((best, state) => (isBefore(state, best) ? state : best), undefined);
  if (first !== undefined) {
    const isTrial = first.failures > 0;
    return { kind: "give", peer: first.peer, limit: isTrial ? 1 : slots.batch, isTrial };
  }
  if (awake.length > 0) return { kind: "busy" };
  return { kind: "rest", until: Math.min(...states.map(({ restsUntil }) => restsUntil)) };
}

/** Good ones before those on trial, then by what is under way. */
function isBefore(state: PeerState, best: PeerState | undefined): boolean {
  if (best === undefined) return true;
  const [trial, bestTrial] = [state.failures > 0, best.failures > 0];
  return trial === bestTrial ? state.underWay < best.underWay : bestTrial;
}

/** Failures of transfers that were under way together count as one. `chance` in [0, 1). */
export function afterFailure(state: PeerState, now: number, chance: number): PeerState {
  if (state.restsUntil > now) return state;
  return { ...state, failures: state.failures + 1, restsUntil: now + restMs(state.failures, chance) };
}

export function afterSuccess(state: PeerState): PeerState {
  return { ...state, failures: 0, restsUntil: 0 };
}

/** Doubles from a second to a minute, of which chance takes away up to a half: pods that leave together must not ask in step. */
export function restMs(failuresBefore: number, chance: number): number {
  return Math.min(firstRestMs * 2 ** failuresBefore, longestRestMs) * (1 - chance / 2);
}
