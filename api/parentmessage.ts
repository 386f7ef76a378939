/**
 * What a relay tells the process that started it on a person's own machine: whose message it was, and who failed to log in. It
 * goes through a channel that only local mode opens; a pod has none, and no log holds an address, a subject or a user name.
 */
import { z } from "zod";

/** Of a message with more recipients than this the first ones are told. */
export const toldRecipients = 50;
/** Of a subject, a user name and an address this much is told. */
export const toldCharacters = 1_000;

export const parentMessage = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("accepted"),
    spoolId: z.string(),
    /** Empty for the null reverse-path. */
    from: z.string(),
    to: z.array(z.string()),
    /** As the field has it, encoded words and all (RFC 2047); absent when there is no such field. */
    subject: z.string().exactOptional(),
  }),
  z.object({
    kind: z.literal("login failed"),
    listener: z.string(),
    /** Absent when the client did not say one that could be read. */
    username: z.string().exactOptional(),
  }),
]);

export type ParentMessage = Readonly<z.infer<typeof parentMessage>>;
