/**
 * What a client showed in the TLS handshake. Pure.
 *
 * A certificate that did not pass ends no handshake: the client would hear of it in the words of its TLS library, if in any. It is
 * refused when it wants something, with what to do.
 */
import type { Principal } from "./principal.ts";

/** `unasked`: there was no TLS yet, or none was to be shown then. */
export type Shown =
  | { readonly kind: "unasked" | "none" }
  | { readonly kind: "unusable"; readonly fault: CertificateFault; readonly why: string }
  | { readonly kind: "certificate"; readonly principal: Principal };

export type CertificateFault = "expired" | "untrusted" | "unsuitable" | "invalid";

/** As metrics and traces say it. */
export type ShownResult = "accepted" | "none" | CertificateFault;

/** Undefined where nothing was asked for. */
export function shownResult(shown: Shown): ShownResult | undefined {
  switch (shown.kind) {
    case "unasked":
      return undefined;
    case "none":
      return "none";
    case "unusable":
      return shown.fault;
    case "certificate":
      return "accepted";
  }
}

/** The words in which a certificate that does not do is told to its client. */
export function unusableText(why: string): string {
  return `The client certificate cannot be used: ${why}`;
}

export const noneText = "No client certificate was shown in the TLS handshake: set one up where the client is set up";
