/** What the process that started this one is told of one session; nothing is gathered where there is none. */
import type { Parent } from "../observe/parent.ts";
import { fieldsNamed, fieldValue, type Header } from "../mail/header.ts";
import type { Envelope } from "../smtp/server/rules.ts";
import type { SpoolId } from "../spool/message/id.ts";

export class ParentTold {
  readonly #parent: Parent | undefined;
  readonly #listener: string;
  #subject: string | undefined;

  constructor(parent: Parent | undefined, listener: string) {
    this.#parent = parent;
    this.#listener = listener;
  }

  headerRead(header: Header): void {
    if (this.#parent === undefined) return;
    const [field] = fieldsNamed(header, "subject");
    this.#subject = field === undefined ? undefined : fieldValue(header, field);
  }

  /** The message whose header was read last. */
  accepted(spoolId: SpoolId, { mail, recipients }: Envelope): void {
    const subject = this.#subject === undefined ? {} : { subject: this.#subject };
    const from = mail.sender?.address ?? "";
    this.#parent?.tell({ kind: "accepted", spoolId, from, to: [...recipients.keys()], ...subject });
  }

  loginFailed(username: string | undefined): void {
    const named = username === undefined ? {} : { username };
    this.#parent?.tell({ kind: "login failed", listener: this.#listener, ...named });
  }
}
