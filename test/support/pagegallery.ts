/**
 * The page of local mode with no relay behind it: what relays and the capture exchanger would have told is told here, so
 * that there is one message of each kind to look at, or as many as a test wants.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { CapturedMessage } from "../../local/capture/record.ts";
import { happeningOf } from "../../local/page/telling.ts";
import { openPage, type Page } from "../../local/page/watch.ts";
import { messageOf, type Mail } from "./pagemail.ts";

export interface Gallery {
  readonly page: Page;
  /** With a slash at its end. */
  readonly address: string;
  /** Where captured messages lie. */
  readonly captured: string;
  /** A line of a relay's log. */
  readonly tell: (fields: Readonly<Record<string, unknown>>) => void;
  readonly close: () => Promise<void>;
}

export interface GalleryOptions {
  readonly stateDirectory: string;
  readonly mails: readonly Mail[];
  /** Another one each time by default. */
  readonly port?: number;
}

export async function openGallery(t: TestContext, options: GalleryOptions): Promise<Gallery> {
  const { stateDirectory, mails, port = 0 } = options;
  const captured = join(stateDirectory, "captured");
  mkdirSync(captured, { recursive: true });
  mails.forEach((mail, index) => writeCaptured(captured, mail, index));
  const page = await openPage({
    stateDirectory,
    host: "127.0.0.1",
    port,
    keep: 1000,
    onPruned: () => undefined,
    now: () => Date.now(),
    onError: (error) => {
      throw error;
    },
  });
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (isOpen) await page.close();
    isOpen = false;
  };
  t.after(close);
  return {
    page,
    address: `http://localhost:${page.port}/`,
    captured,
    tell(fields) {
      const happening = happeningOf("mail.outbound-0", fields);
      if (happening === undefined) throw new Error(`a relay would not say this: ${JSON.stringify(fields)}`);
      page.take(happening);
    },
    close,
  };
}

/** As the capture exchanger leaves it: the message, and what is known of it. */
function writeCaptured(directory: string, mail: Mail, index: number): void {
  const at = mail.at ?? new Date(Date.UTC(2026, 10, 28, 8) + index * 60_000).toISOString();
  const name = `${at.replaceAll(/[-:.]/g, "")}-${String(index).padStart(5, "0")}`;
  const text = messageOf(mail).replaceAll(/\r?\n/g, "\r\n");
  const record: CapturedMessage = {
    receivedAt: at,
    file: `${name}.eml`,
    sizeBytes: Buffer.byteLength(text),
    from: mail.from ?? "shop@example.com",
    to: [...mail.to],
    dkim: mail.dkim ?? "pass",
    signatures: [{ domain: "example.com", selector: "mb1", algorithm: "ed25519-sha256", result: mail.dkim ?? "pass" }],
    summary: {
      subject: mail.subject,
      receivedIds: mail.spoolId === undefined ? [] : [mail.spoolId],
      isNotice: mail.about !== undefined,
      ...(mail.about === undefined
        ? {}
        : { returnedSubject: mail.about.subject, noticeTo: [...mail.about.to], noticeAction: mail.about.action }),
      attachments: mail.attachments?.length ?? 0,
    },
  };
  writeFileSync(join(directory, record.file), text);
  writeFileSync(join(directory, `${name}.json`), JSON.stringify(record));
}
