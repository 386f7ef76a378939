/**
 * Who may relay, as whom: the one place that decides it. Pure: snapshot, client and message in, admission or refusal out.
 *
 * The server library's own checks are switched off, so what this file lets through is relayed. A client that is neither
 * authenticated nor inside a network that a manifest trusts gets nowhere; nor does one that writes another's domain.
 */
import type { ListenerDocument } from "../../api/relayconfig.ts";
import { type DomainSettings, hasGaps, type Snapshot } from "../config/snapshot.ts";
import { matchesLocalPart, quotedSpecialIn, type Address } from "../mail/address.ts";
import { fieldsNamed, fieldValue, type Header } from "../mail/header.ts";
import { ownReceivedFields, receivedFields } from "../mail/limit.ts";
import { parseMailboxes } from "../mail/mailbox.ts";
import { receivedBy } from "../mail/received.ts";
import { refusal, type Refusal } from "../mail/reply.ts";
import { admitCertificate } from "./admitcertificate.ts";
import { isNamedBy } from "./grant.ts";
import { askAgain, isOver, type Principal } from "./identity/principal.ts";
import { type Shown, unusableText } from "./identity/shown.ts";

/** What is known of the client when it asks. */
export interface Client {
  readonly listener: Pick<ListenerDocument, "authentication" | "tlsMode" | "clientCertificates">;
  readonly secure: boolean;
  /** Who it is, each shown for itself: by its login, by its network. */
  readonly principals: readonly Principal[];
  /** In the TLS handshake. Absent: nothing was asked for. */
  readonly shown?: Shown | undefined;
  /** When its transaction began, in ms since the epoch: a login whose time ends during one counts to its end. */
  readonly at: number;
}

export interface Admission {
  readonly kind: "admission";
  /** Domain of the header From: its keys sign. */
  readonly domain: string;
  /** False only where the manifest asks for no DKIM. */
  readonly mustSign: boolean;
}

/**
 * RFC 4954 section 4 lets nobody log in twice in a session: another is needed, where the client hears 535 if it must. Anything for
 * good would bounce the mail of a client that keeps its connections while its password is changed.
 */
const loginIsOver = refusal(421, "4.7.0", "The time of this login is over, connect and log in again");
const loginIsGone = refusal(421, "4.7.0", "This login stands no longer, connect and log in again");
/** For a message that is on its way already: the next MAIL of the session ends it. */
const loginWasGone = refusal(451, "4.7.0", "This login stands no longer, log in again and send the message again");

/** Whether the client may start a transaction at all (RFC 3207 section 4, RFC 4954 section 6). */
export function admitClient(snapshot: Snapshot, client: Client): Refusal | undefined {
  const { tlsMode, authentication } = client.listener;
  const uncertified = admitCertificate(snapshot, client);
  if (uncertified !== undefined) return uncertified;
  const isEnough = (principal: Principal): boolean => hasLoggedIn(principal) || authentication === "Optional";
  if (someNow(snapshot, client, isEnough)) return undefined;
  if (client.principals.some((principal) => isOver(principal, client.at))) return loginIsOver;
  const mayBeKnown = client.principals.some(hasLoggedIn) && hasGaps(snapshot.gaps);
  const mayBeTrusted = authentication === "Optional" && snapshot.gaps.relay;
  if (mayBeKnown || mayBeTrusted) return refusal(451, "4.3.5", "This client cannot be checked yet, try again later");
  if (hasLostLogin(snapshot, client)) return loginIsGone;
  if (authentication === "Required" && tlsMode === "StartTLS" && !client.secure) {
    return refusal(530, "5.7.0", "Must issue a STARTTLS command first");
  }
  if (tlsMode === "None") {
    return refusal(
      550,
      "5.7.1",
      "This listener relays only for its trusted networks, and this client is in none of them",
    );
  }
  const why = client.shown?.kind === "unusable" ? `. ${unusableText(client.shown.why)}` : "";
  return refusal(530, "5.7.0", `Authentication required${why}`);
}

/** As far as they still stand: a login that was removed or changed stops working in sessions that are open. */
function someNow(snapshot: Snapshot, { principals, at }: Client, isWanted: (principal: Principal) => boolean): boolean {
  return principals.some((principal) => {
    const now = askAgain(principal, snapshot, at);
    return now !== undefined && isWanted(now);
  });
}

/** It logged in, or showed a certificate, and nothing is left of that. */
function hasLostLogin(snapshot: Snapshot, { principals, at }: Client): boolean {
  return principals.some((each) => each.kind !== "network" && askAgain(each, snapshot, at) === undefined);
}

function hasLoggedIn({ kind }: Principal): boolean {
  return kind === "user";
}

function isGranted(snapshot: Snapshot, client: Client, { document, identities }: DomainSettings): boolean {
  const grant = { identities, senders: document.senders };
  return someNow(snapshot, client, ({ proof }) => isNamedBy(grant, proof));
}

/** The envelope sender: empty, or an address that the client may use. */
export function admitSender(snapshot: Snapshot, client: Client, sender: Address | undefined): Refusal | undefined {
  if (sender === undefined) return undefined;
  // RFC 5321 section 4.1.2 allows them. A next hop that ends the path there would have another's domain vouch for this client.
  const ambiguous = quotedSpecialIn(sender);
  if (ambiguous !== undefined) return refusal(550, "5.1.7", `Envelope sender: ${ambiguous}`);
  return admitAddress(snapshot, client, { address: sender, place: "Envelope sender", lostLogin: loginIsGone });
}

/** An address that the message is said to be from, and where it says so. */
interface Authorship {
  readonly address: Address;
  readonly place: string;
  /** What is answered where a login that is lost might have been enough. */
  readonly lostLogin: Refusal;
}

/** One text for a domain that is not ours and one that is another's: what others have is not this client's to learn. */
function admitAddress(snapshot: Snapshot, client: Client, authorship: Authorship): Refusal | undefined {
  const { place, lostLogin } = authorship;
  const { domain, local } = authorship.address;
  const settings = snapshot.domains.get(domain);
  const isAllowed = settings !== undefined && isGranted(snapshot, client, settings);
  if (isAllowed && matchesLocalPart(settings.document.localParts, local)) return undefined;
  // What the operator says of it is not known: a client that may use it must not hear a refusal for good.
  if (snapshot.gaps.shards || snapshot.gaps.domains.has(domain)) {
    return refusal(451, "4.3.5", `${place}: domain ${domain} cannot be served yet, try again later`);
  }
  if (!isAllowed) {
    if (hasLostLogin(snapshot, client)) return lostLogin;
    const cause = settings === undefined ? "no such sender domain" : "not granted";
    const need = `a SenderDomain with domain ${domain} must name this client in its senders`;
    return { ...refusal(550, "5.7.1", `${place}: domain ${domain} is not granted to this client: ${need}`), cause };
  }
  return refusal(550, "5.7.1", `${place}: this local part may not be used in domain ${domain}`);
}

/** What the header decides: loops first, then the From domain, its grant, and that it can be signed. */
export function admitHeader(snapshot: Snapshot, client: Client, header: Header): Admission | Refusal {
  const loop = findLoop(snapshot.relay.hostname, header);
  if (loop !== undefined) return loop;
  if (header.fields.length === 0) return refusal(550, "5.6.0", "The message has no header");
  const from = fieldsNamed(header, "from");
  const only = from[0];
  if (only === undefined || from.length > 1) {
    return refusal(550, "5.6.0", `The message must have exactly one From field, it has ${from.length}`);
  }
  const parsed = parseMailboxes(fieldValue(header, only));
  if (parsed.kind === "fault") return refusal(550, "5.6.0", `The From field cannot be used: ${parsed.reason}`);
  const domains = new Set(parsed.mailboxes.map((mailbox) => mailbox.domain));
  const [domain = ""] = domains;
  if (domains.size > 1) return refusal(550, "5.6.0", "The mailboxes of the From field must be of one domain");
  for (const address of parsed.mailboxes) {
    const refused = admitAddress(snapshot, client, { address, place: "From", lostLogin: loginWasGone });
    if (refused !== undefined) return refused;
  }
  const others = admitOthers(snapshot, client, header);
  if (others !== undefined) return others;
  const settings = snapshot.domains.get(domain);
  const mustSign = settings?.document.unsigned !== true;
  if (mustSign && settings?.keys.length === 0) {
    return refusal(451, "4.3.5", `Domain ${domain} has no usable DKIM key yet, try again later`);
  }
  return { kind: "admission", domain, mustSign };
}

/** Fields beside From that say whose hand a message is from (RFC 5322 section 3.6.2 and 3.6.6): readers show them beside it. */
const handFields: ReadonlyMap<string, string> = new Map([
  ["sender", "Sender"],
  ["resent-from", "Resent-From"],
  ["resent-sender", "Resent-Sender"],
]);

function admitOthers(snapshot: Snapshot, client: Client, header: Header): Refusal | undefined {
  for (const field of header.fields) {
    const place = handFields.get(field.name);
    const value = place === undefined ? "" : fieldValue(header, field);
    // An empty field names nobody.
    if (place === undefined || value === "") continue;
    const parsed = parseMailboxes(value);
    if (parsed.kind === "fault") return refusal(550, "5.6.0", `The ${place} field cannot be used: ${parsed.reason}`);
    if (parsed.mailboxes.length > 1 && place !== "Resent-From") {
      return refusal(550, "5.6.0", `The ${place} field must hold one address, it has ${parsed.mailboxes.length}`);
    }
    for (const address of parsed.mailboxes) {
      const refused = admitAddress(snapshot, client, { address, place, lostLogin: loginWasGone });
      if (refused !== undefined) return refused;
    }
  }
  return undefined;
}

/** RFC 5321 section 6.3: count the hops; and count ourselves, which catches a loop before it has gone round a hundred times. */
function findLoop(hostname: string, header: Header): Refusal | undefined {
  const hops = fieldsNamed(header, "received");
  if (hops.length > receivedFields) return refusal(554, "5.4.6", "Mail loop: too many Received fields");
  if (hops.length <= ownReceivedFields) return undefined;
  const own = hops.filter((hop) => receivedBy(fieldValue(header, hop)) === hostname.toLowerCase());
  return own.length > ownReceivedFields ? refusal(554, "5.4.6", `Mail loop: it passed ${hostname} before`) : undefined;
}
