/**
 * The process that started this one, where it wants to know whose mail passes: local mode, and nobody else. A parent that does not
 * read, or is gone, misses what it is told; mail waits for nobody here.
 */
import { toldCharacters, toldRecipients, type ParentMessage } from "../../api/parentmessage.ts";

export interface Parent {
  tell(message: ParentMessage): void;
}

/** The channel of a child process, as Node has it. */
export interface Channel {
  readonly connected: boolean;
  /** False when more waits in it than is good. */
  readonly send?: (message: ParentMessage, taken: (error: Error | null) => void) => boolean;
}

/** Undefined where there is no channel: then nothing is gathered to be told. */
export function parentOf(channel: Channel): Parent | undefined {
  if (channel.send === undefined) return undefined;
  let hasRoom = true;
  return {
    tell(message) {
      if (!hasRoom || !channel.connected) return;
      const isTaken = channel.send?.(shortened(message), () => {
        hasRoom = true;
      });
      hasRoom = isTaken !== false;
    },
  };
}

function shortened(message: ParentMessage): ParentMessage {
  const cut = (text: string): string => text.slice(0, toldCharacters);
  if (message.kind === "login failed") {
    return message.username === undefined ? message : { ...message, username: cut(message.username) };
  }
  const { subject, ...rest } = message;
  return {
    ...rest,
    from: cut(message.from),
    to: message.to.slice(0, toldRecipients).map(cut),
    ...(subject === undefined ? {} : { subject: cut(subject) }),
  };
}
