/**
 * What a receiver would say of a message's DKIM signatures, judged by a library that the relay does not use and with
 * the public keys that the SenderDomains of this operator ask to be published: no DNS is involved.
 */
import type { Readable } from "node:stream";
import type { SignatureVerdict } from "./record.ts";

/** The value of a TXT record by its name; undefined when nobody publishes it. */
export type TxtLookup = (name: string) => string | undefined;

class NoRecordError extends Error {
  readonly code = "ENOTFOUND";
}

/** One verdict for each DKIM-Signature field; none for an unsigned message. */
export async function judgeSignatures(
  message: Buffer | Readable,
  lookup: TxtLookup,
): Promise<readonly SignatureVerdict[]> {
  const resolver = async (name: string): Promise<string[][]> => {
    const value = lookup(name.toLowerCase());
    if (value === undefined) throw new NoRecordError(`no TXT record ${name}`);
    return [[value]];
  };
  const { dkimVerify } = await library();
  const { results } = await dkimVerify(message, { resolver });
  return results
    .filter((result) => result.status.result !== "none")
    .map((result) => ({
      domain: result.signingDomain ?? "",
      selector: result.selector ?? "",
      algorithm: result.algo ?? "",
      result: result.status.result,
      ...(typeof result.status.comment === "string" ? { comment: result.status.comment } : {}),
    }));
}

/** `pass` when every signature passes, `none` without one, the first other result otherwise. */
export function summarizeVerdicts(verdicts: readonly SignatureVerdict[]): string {
  if (verdicts.length === 0) return "none";
  return verdicts.find((verdict) => verdict.result !== "pass")?.result ?? "pass";
}

/** So that the first message does not wait for it. */
export async function prepareVerdicts(): Promise<void> {
  await library();
}

/** Loaded late: it is large, and a start should not wait for it. */
function library() {
  return import("mailauth/lib/dkim/verify.js");
}
