/**
 * What one session's client showed in its TLS handshake, as the listener and the authorities of the moment let it count.
 *
 * A certificate is an identity of its own where authentication is optional, as a trusted network is: mail servers show one and know no
 * AUTH EXTERNAL. Where authentication is required it counts when AUTH EXTERNAL has said so (RFC 4954 section 4), or beside another
 * login.
 */
import type { ListenerDocument } from "../../api/relayconfig.ts";
import type { Snapshot } from "../config/snapshot.ts";
import { refusal, type Refusal } from "../mail/reply.ts";
import type { PeerCertificate } from "../smtp/server/rules.ts";
import { admitCertificate } from "./admitcertificate.ts";
import { isCalled } from "./identity/certificate.ts";
import { external } from "./identity/external.ts";
import { invalidLogin, type Proven } from "./identity/mechanism.ts";
import { askAgain, type Principal } from "./identity/principal.ts";
import { shownBy } from "./identity/presented.ts";
import { noneText, type Shown, type ShownResult, shownResult, unusableText } from "./identity/shown.ts";

export interface HandshakeOptions {
  /** As configured now. */
  readonly listener: () => ListenerDocument;
  readonly snapshot: () => Snapshot;
  readonly now: () => number;
}

/** RFC 4954 section 6: too weak for what is wanted here. */
const noSecondFactor = refusal(
  534,
  "5.7.9",
  "The certificate is one proof here, log in with another such as a password",
);
const unknownMechanism = refusal(504, "5.5.4", "Unrecognized authentication type");
/** Mail programs that want a user name, whatever the login, send it along. */
const notItsName = "The client certificate has no such name: give none at all (AUTH EXTERNAL =), or one that it has";
const withdrawn = "The client certificate stands no longer: its authority has been withdrawn";

export class Handshake {
  readonly #options: HandshakeOptions;
  #shown: Shown = { kind: "unasked" };

  constructor(options: HandshakeOptions) {
    this.#options = options;
  }

  get shown(): Shown {
    return this.#shown;
  }

  /** Undefined where nothing was asked for. */
  done(peer: PeerCertificate): ShownResult | undefined {
    this.#shown = shownBy(peer);
    return shownResult(this.#shown);
  }

  /** Whether the certificate is enough to send by. */
  get isEnough(): boolean {
    return this.#shown.kind === "certificate" && this.#options.listener().authentication === "Optional";
  }

  /** What is left of the names of mechanisms: EXTERNAL is named to those whom it lets in. */
  offered(mechanisms: readonly string[]): readonly string[] {
    const isOffered = this.#shown.kind === "certificate" && takesItForLogin(this.#options.listener());
    return isOffered ? mechanisms : mechanisms.filter((name) => name !== external.name);
  }

  /** Why the client may not log in by the mechanism. Nobody's password is looked at before the certificate that the listener wants. */
  refuse(mechanism: string): Refusal | undefined {
    const { snapshot, now } = this.#options;
    const listener = this.#options.listener();
    const uncertified = admitCertificate(snapshot(), { listener, secure: true, shown: this.#shown, at: now() });
    if (uncertified !== undefined || mechanism !== external.name || takesItForLogin(listener)) return uncertified;
    return listener.factors === 2 ? noSecondFactor : unknownMechanism;
  }

  /** By AUTH EXTERNAL, as nobody else than the certificate's own. `authzid` may be empty. */
  prove(authzid: string): Proven | Refusal {
    const shown = this.#shown;
    if (shown.kind === "unusable") return { ...invalidLogin, text: unusableText(shown.why) };
    if (shown.kind !== "certificate") return { ...invalidLogin, text: noneText };
    const standing = askAgain(shown.principal, this.#options.snapshot(), this.#options.now());
    if (standing === undefined) return { ...invalidLogin, text: withdrawn };
    const { proof } = standing;
    const isOwn = authzid === "" || (proof.kind === "certificate" && isCalled(proof.certificate.names, authzid));
    return isOwn ? { kind: "proven", principal: { ...standing, kind: "user" } } : { ...invalidLogin, text: notItsName };
  }

  /** The login and the certificate, each for itself. */
  principals(login: Principal | undefined): readonly Principal[] {
    const listener = this.#options.listener();
    const own = this.#shown.kind === "certificate" && isAsking(listener) ? [this.#shown.principal] : [];
    if (login === undefined) return own;
    const isOver = login.proof.kind === "certificate" && !takesItForLogin(listener);
    return [isOver ? { ...login, until: 0 } : login, ...own];
  }
}

function isAsking({ clientCertificates }: ListenerDocument): boolean {
  return clientCertificates !== undefined;
}

function takesItForLogin(listener: ListenerDocument): boolean {
  return isAsking(listener) && listener.factors !== 2;
}
