/**
 * When somebody last came in by each Secret, as status says it: pods tell of the time since their start, and what was said before is
 * kept, so that neither a pod that is replaced nor an operator that is forgets a use. By the day, so that a busy relay's status is
 * not written all the time. Pure.
 */
import type { MailRelayStatus } from "../../api/mailrelay.ts";
import type { PodFact } from "./facts.ts";

type LoginStatus = NonNullable<MailRelayStatus["logins"]>[number];

/** How many status has room for: the first by name. */
const most = 100;

export function loginsOf(
  pods: readonly Pick<PodFact, "report">[],
  said: readonly LoginStatus[] | undefined,
): Pick<MailRelayStatus, "logins"> {
  // A pod that has not loaded all of its configuration does not know them all.
  const whole = pods.flatMap(({ report }) => (report?.revision === undefined ? [] : [report]));
  const told = whole.map(({ logins }) => logins).filter((logins) => logins !== undefined);
  // Pods that are away, or of a release that does not tell, have not forgotten for us.
  if (told.length === 0) return said === undefined ? {} : { logins: [...said] };
  const secrets = new Set(told.flat().map(({ secret }) => secret));
  const dates = new Map<string, string>();
  for (const { secret, lastUsedDate } of [...(said ?? []), ...told.flat()]) {
    if (lastUsedDate !== undefined && lastUsedDate > (dates.get(secret) ?? "")) dates.set(secret, lastUsedDate);
  }
  const logins = [...secrets]
    .sort()
    .slice(0, most)
    .map((secret): LoginStatus => {
      const lastUsedDate = dates.get(secret);
      return { secret, ...(lastUsedDate === undefined ? {} : { lastUsedDate }) };
    });
  return logins.length === 0 ? {} : { logins };
}
