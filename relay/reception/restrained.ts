/** Logins of one client that are held back, counted and told. */
import { Restraint } from "./identity/restraint.ts";
import type { SessionParts } from "./parts.ts";

export interface Restrained {
  readonly listener: string;
  readonly client: string;
  readonly isSpared: () => boolean;
}

/** Whose login it was is in no line; the client may be found in the trace. */
export function restrained(
  { limits, patience, metrics, clientLog }: SessionParts,
  { listener, client, isSpared }: Restrained,
): Restraint {
  return new Restraint({
    limits: limits.logins,
    client,
    isSpared,
    slowMs: patience.slowLoginMs,
    onHeldBack: ({ kind: how, by: failed }) => {
      metrics.loginHeldBack(how, failed);
      clientLog.info(client, { listener, how, failed }, "a login was held back: too many have failed");
    },
  });
}
