/**
 * What a relay remembers of one message, as its page `/trace?id=` answers: domains, codes and replies, never an address.
 * The relay that answers and the command that asks may be of different versions, so unknown fields and events pass.
 */
import { z } from "zod";

const storyEvent = z.looseObject({
  at: z.iso.datetime(),
  /**
   * The same word as in the log: accepted, delivered, captured, deferred, failed, bounced, notified, double bounce, handed over,
   * taken over.
   */
  event: z.string(),
  traceId: z.string().exactOptional(),
  /** Of an acceptance. */
  listener: z.string().exactOptional(),
  notice: z.string().exactOptional(),
  noticeOf: z.string().exactOptional(),
  /** Of an attempt. */
  recipientDomain: z.string().exactOptional(),
  recipients: z.int().exactOptional(),
  attempt: z.int().exactOptional(),
  nextHop: z.string().exactOptional(),
  code: z.int().exactOptional(),
  enhanced: z.string().exactOptional(),
  reply: z.string().exactOptional(),
  dueAt: z.string().exactOptional(),
  expired: z.boolean().exactOptional(),
  /** Of a message that went to another pod of the relay, or came from one. */
  peer: z.string().exactOptional(),
  /** Of a notice that was sent about the message. */
  noticeId: z.string().exactOptional(),
});

const messageStory = z.object({
  spoolId: z.string(),
  domain: z.string(),
  acceptedAt: z.iso.datetime(),
  sizeBytes: z.int(),
  /** Recipients by domain at acceptance, or when it was taken over; absent when an earlier process did it. */
  destinations: z.record(z.string(), z.int()).exactOptional(),
  /** Events between the first and the last ones that are not remembered. */
  forgotten: z.int(),
  events: z.array(storyEvent),
});

export const storyAnswer = z.object({
  version: z.literal(1),
  startedAt: z.iso.datetime(),
  /** Messages that the relay remembers at the moment. */
  remembered: z.int(),
  /** Those asked for, then the notices about them; none for an id that is not known. */
  stories: z.array(messageStory),
});

export type StoryEventDocument = z.infer<typeof storyEvent>;
export type MessageStory = z.infer<typeof messageStory>;
export type StoryAnswer = z.infer<typeof storyAnswer>;
