/**
 * What was asked of the DNS and what came back, as values. Failures are values too: nobody here throws because a
 * domain does not exist.
 */

export type RecordType = "MX" | "A" | "AAAA";

export interface Question {
  /** ASCII, lower case, without the final dot. */
  readonly name: string;
  readonly type: RecordType;
}

export interface MailExchanger {
  readonly preference: number;
  /** Lower case, without the final dot; "" is the root, which RFC 7505 uses to say "no mail". */
  readonly exchange: string;
}

/** Records are of the type that was asked for; aliases have been followed. */
export type Answer =
  | {
      readonly kind: "records";
      readonly exchangers: readonly MailExchanger[];
      readonly addresses: readonly string[];
      /** The shortest of the records and of the aliases that led to them. */
      readonly ttlSeconds: number;
    }
  /** The name exists and has no record of the type (RFC 2308 section 2.2), or does not exist (section 2.1). */
  | { readonly kind: "no-data" | "no-domain"; readonly ttlSeconds: number }
  /** Nobody gave an answer: timeout, SERVFAIL, REFUSED. `detail` is for people. */
  | { readonly kind: "trouble"; readonly detail: string };

/** Who answers questions: the resolver, or a table in a test. Never rejects. */
export interface Lookup {
  ask(question: Question): Promise<Answer>;
}

const hostPattern =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

/** A name that can be asked for, and that may stand in a log. */
export function isHostName(name: string): boolean {
  return hostPattern.test(name);
}

/** Letter case does not count in the DNS (RFC 4343). */
export function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}
