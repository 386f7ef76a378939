/** Moments as people write them. Pure. */
import { z } from "zod";

const instant = z.iso.datetime({ offset: true });

/** RFC 3339, such as `2027-01-31T00:00:00Z`, in milliseconds since the epoch; undefined when it is no moment. */
export function parseInstant(text: string): number | undefined {
  return instant.safeParse(text).success ? Date.parse(text) : undefined;
}
