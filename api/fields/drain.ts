/** How long a relay that leaves is waited for. */
import { z } from "zod";
import { duration } from "../duration.ts";

/** What holds where a spec cannot be read, too. */
export const usualDrainDeadline = "300s";

export const drain = z
  .strictObject({
    deadline: duration("0s", "24h")
      .default(usualDrainDeadline)
      .describe(
        "A deleted relay tries to empty its spools this long and goes then; volumes that are not proven empty stay, labelled. " +
          "0s: it goes at once, with all that waits on volumes.",
      ),
  })
  .prefault({})
  .describe("How pods leave.");
