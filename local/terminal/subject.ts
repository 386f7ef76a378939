/** The subject of a message for people: its encoded words (RFC 2047) read. */
import { summarizeMessage } from "../capture/mime.ts";

/** From a header; empty when there is none, or it cannot be read. */
export async function subjectIn(header: Buffer): Promise<string> {
  const summary = await summarizeMessage(header, false).catch(() => undefined);
  return summary?.subject ?? "";
}

/** From the field alone, as it stands in the header. */
export function subjectAs(written: string): Promise<string> {
  return subjectIn(Buffer.from(`Subject: ${written}\r\n\r\n`));
}
