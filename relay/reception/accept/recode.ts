/**
 * A body that is in the spool's hands, written a second time without its long lines. What was written first is read from
 * there, a chunk at a time, so that 50 MiB cost no more memory than any other body.
 *
 * Rejects when the disk does; then what was begun here is aborted, and the caller aborts the first.
 */
import { RelaxedBodyHash } from "../../mail/bodyhash.ts";
import { ContentScan } from "../../mail/content.ts";
import type { Header } from "../../mail/header.ts";
import { entityOf, type Entity } from "../../mail/mime/entity.ts";
import {
  encodedHeader,
  LongLineSurvey,
  ShortLines,
  type EncodedHeader,
  type LongLines,
} from "../../mail/mime/longlines.ts";
import { hasEightBit } from "../../mail/notice/original.ts";
import type { Body } from "../../spool/message/message.ts";
import type { SpoolId } from "../../spool/message/id.ts";
import type { ReceivingSpool } from "../../spool/start.ts";
import type { BodyWriter } from "../../spool/verbs.ts";

export interface BodyAsSent {
  readonly header: Header;
  readonly id: SpoolId;
  readonly body: Body;
  /** The name of what is written: the first is still there. */
  readonly anotherId: () => SpoolId;
}

export interface Recoded {
  readonly id: SpoolId;
  readonly writer: BodyWriter;
  readonly body: Body;
  readonly bodyHash: string;
  /** Of the whole message. */
  readonly eightBit: boolean;
  readonly encoding: EncodedHeader;
}

/** Undefined when the body stays as it is: somebody signed what is too long, or it is none of MIME's encodings. */
export async function recodeBody(spool: ReceivingSpool, sent: BodyAsSent): Promise<Recoded | undefined> {
  const entity = entityOf(sent.header, "text/plain");
  if (entity.kind === "sealed") return undefined;
  const survey = new LongLineSurvey(entity);
  for await (const chunk of octetsOf(spool, sent)) survey.feed(chunk);
  const long = survey.end();
  return long.any ? write(spool, sent, { entity, long }) : undefined;
}

async function write(
  spool: ReceivingSpool,
  sent: BodyAsSent,
  { entity, long }: { readonly entity: Entity; readonly long: LongLines },
): Promise<Recoded> {
  const id = sent.anotherId();
  const writer = spool.begin(id);
  const hash = new RelaxedBodyHash();
  const scan = new ContentScan();
  const put = async (bytes: Buffer): Promise<void> => {
    if (bytes.length === 0) return;
    hash.update(bytes);
    scan.feed(bytes);
    await writer.write(bytes);
  };
  try {
    const lines = new ShortLines(entity, long);
    for await (const chunk of octetsOf(spool, sent)) await put(lines.feed(chunk));
    await put(lines.end());
    const none = { changes: new Map(), added: Buffer.alloc(0) };
    return {
      id,
      writer,
      body: await writer.finish(),
      bodyHash: hash.digest(),
      eightBit: scan.eightBit || hasEightBit(sent.header.bytes),
      encoding: long.parts.has(0) ? encodedHeader(sent.header, entity, true) : none,
    };
  } catch (error) {
    await writer.abort().catch(() => undefined);
    throw error;
  }
}

async function* octetsOf(spool: ReceivingSpool, { id, body }: BodyAsSent): AsyncGenerator<Buffer> {
  if (body.kind === "inline") {
    yield body.bytes;
    return;
  }
  for await (const chunk of spool.readBody(id)) yield Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
}
