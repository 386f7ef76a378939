/**
 * From failed recipients to the message that tells the sender: RFC 3464 in, a new spool message out.
 *
 * Promise: a bounce never bounces (RFC 5321 section 4.5.5), and nobody is told who asked not to be (RFC 3461 section 4.1).
 * It is signed like any message of the domain, and committed with the outcome that it reports.
 */
import type { Chance } from "../../runtime/clock.ts";
import { RelaxedBodyHash } from "../mail/bodyhash.ts";
import { writeFailureNotice, type FailedRecipient } from "../mail/dsn.ts";
import type { Reply } from "../mail/reply.ts";
import { spoolIdOf, type Message, type NewMessage, type Recipient } from "../spool/entry.ts";

export interface Failure {
  readonly recipient: Recipient;
  readonly reply: Reply;
  readonly remoteHost?: string;
}

export interface BounceFacts {
  readonly message: Message;
  readonly failures: readonly Failure[];
  readonly hostname: string;
  /** `bounces.to` of the sender's domain: notices go there instead of to the sender. */
  readonly redirect?: string;
  readonly now: number;
  readonly chance: Chance;
}

/** Larger originals are returned as headers only, whatever RET asks (RFC 3461 section 6.2 leaves that to us). */
const returnedBodyBytes = 64 * 1024;

/** The notice for these failures; undefined when nobody is to be told. */
export function writeBounce(facts: BounceFacts): NewMessage | undefined {
  const { message, now, chance, hostname } = facts;
  if (message.sender === "") return undefined;
  const failures = facts.failures.filter(({ recipient }) => wantsFailure(recipient));
  if (failures.length === 0) return undefined;
  const id = spoolIdOf(now, randomBytes(6, chance));
  const to = facts.redirect ?? message.sender;
  const recipients = failures.map(failedRecipient);
  const global = [message.sender, to, ...recipients.map(({ address }) => address)].some((text) =>
    /[^\0-\x7f]/.test(text),
  );
  const body = returnedBody(message);
  const notice = writeFailureNotice({
    hostname,
    from: `postmaster@${message.domain}`,
    to,
    messageId: `${id}@${hostname}`,
    now,
    acceptedAt: message.acceptedAt,
    ...(message.envid === undefined ? {} : { envid: message.envid }),
    recipients,
    returned: {
      header: message.header,
      eightBit: message.eightBit,
      ...(body === undefined ? {} : { body }),
    },
    boundary: `=_${id}_${Buffer.from(randomBytes(6, chance)).toString("hex")}`,
    global,
  });
  const bodyHash = new RelaxedBodyHash();
  bodyHash.update(notice.body);
  return {
    message: {
      id,
      acceptedAt: now,
      sender: "",
      smtpUtf8: global,
      eightBit: notice.eightBit || global,
      domain: message.domain,
      mustSign: message.mustSign,
      header: notice.header,
      body: { kind: "inline", bytes: notice.body },
      bodyHash: bodyHash.digest(),
    },
    recipients: [{ index: 0, address: to, attempts: 0 }],
    dueAt: now,
  };
}

/** RFC 3461 section 4.1: without NOTIFY, failures are told. */
function wantsFailure(recipient: Recipient): boolean {
  return recipient.notify === undefined || recipient.notify.includes("FAILURE");
}

function returnedBody({ ret, body }: Message): Buffer | undefined {
  return ret === "FULL" && body.kind === "inline" && body.bytes.length <= returnedBodyBytes ? body.bytes : undefined;
}

function failedRecipient({ recipient, reply, remoteHost }: Failure): FailedRecipient {
  return {
    address: recipient.address,
    reply,
    ...(recipient.orcpt === undefined ? {} : { orcpt: recipient.orcpt }),
    ...(remoteHost === undefined ? {} : { remoteHost }),
  };
}

function randomBytes(count: number, chance: Chance): Uint8Array {
  return Uint8Array.from({ length: count }, () => Math.floor(chance() * 256));
}
