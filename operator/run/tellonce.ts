/** Which failures of a cache the log has already. */
import type { ReflectorEvent } from "../kube/cache/reflector.ts";
import { gistOf } from "../work/likeness.ts";

/**
 * What is refused is asked for again every few seconds for as long as the right is missing: the log has it once, also where
 * the server's words name another request each time.
 */
export function tellOnce(): (resource: string, event: ReflectorEvent) => boolean {
  const told = new Map<string, Set<string>>();
  return (resource, event) => {
    if (event.kind === "listed") told.delete(resource);
    if (event.kind !== "failed" || (event.error.kind !== "Forbidden" && event.error.kind !== "NotFound")) return false;
    const messages = told.get(resource) ?? new Set();
    told.set(resource, messages);
    const gist = gistOf(event.error.message);
    if (messages.has(gist)) return true;
    messages.add(gist);
    return false;
  };
}
