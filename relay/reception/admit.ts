/**
 * Who may relay, as whom: the one place that decides it. Pure: snapshot, client and message in, admission or refusal out.
 *
 * The server library's own checks are switched off, so what this file lets through is relayed. A client that is neither
 * authenticated nor inside a network that a manifest trusts gets nowhere; nor does one that writes another's domain.
 */
import type { CredentialDocument, ListenerDocument } from "../../api/relayconfig.ts";
import { type DomainSettings, hasGaps, type Snapshot } from "../config/snapshot.ts";
import { matchesLocalPart, type Address } from "../mail/address.ts";
import { fieldsNamed, fieldValue, type Header } from "../mail/header.ts";
import { ownReceivedFields, receivedFields } from "../mail/limit.ts";
import { parseMailboxes } from "../mail/mailbox.ts";
import { receivedBy } from "../mail/received.ts";
import { refusal, type Refusal } from "../mail/reply.ts";

/** Who a session is: one user name may stand for several credentials, each a grant of its own. */
export interface AuthenticatedUser {
  readonly kind: "user";
  readonly username: string;
  readonly identities: ReadonlySet<string>;
  /** What was proven, so that a later snapshot can take it back. */
  readonly credentials: readonly CredentialDocument[];
}

/** What is known of the client when it asks. */
export interface Client {
  readonly listener: Pick<ListenerDocument, "authentication" | "tlsMode">;
  /** Inside one of the listener's trusted networks. */
  readonly trusted: boolean;
  readonly secure: boolean;
  readonly user: AuthenticatedUser | undefined;
}

export interface Admission {
  readonly kind: "admission";
  /** Domain of the header From: its keys sign. */
  readonly domain: string;
  /** False only where the manifest asks for no DKIM. */
  readonly mustSign: boolean;
}

/** Whether the client may start a transaction at all (RFC 3207 section 4, RFC 4954 section 6). */
export function admitClient(snapshot: Snapshot, client: Client): Refusal | undefined {
  if (liveIdentities(snapshot, client.user).size > 0) return undefined;
  if (client.listener.authentication === "Optional" && client.trusted) return undefined;
  const { tlsMode, authentication } = client.listener;
  const mayBeKnown = client.user !== undefined && hasGaps(snapshot.gaps);
  const mayBeTrusted = authentication === "Optional" && snapshot.gaps.relay;
  if (mayBeKnown || mayBeTrusted) return refusal(451, "4.3.5", "This client cannot be checked yet, try again later");
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
  return refusal(530, "5.7.0", "Authentication required");
}

/**
 * Identities that the session proved and that still exist with the same password: a credential that was removed or changed
 * stops working in sessions that are open.
 */
function liveIdentities(snapshot: Snapshot, user: AuthenticatedUser | undefined): ReadonlySet<string> {
  const live = new Set<string>();
  if (user === undefined) return live;
  const now = snapshot.credentials.get(user.username) ?? [];
  for (const proven of user.credentials) {
    if (now.some((each) => each.identity === proven.identity && each.scram.storedKey === proven.scram.storedKey)) {
      live.add(proven.identity);
    }
  }
  return live;
}

function isGranted(snapshot: Snapshot, client: Client, settings: DomainSettings): boolean {
  if (settings.document.senders.trustedNetworks && client.trusted) return true;
  const identities = liveIdentities(snapshot, client.user);
  return [...identities].some((identity) => settings.identities.has(identity));
}

/** The envelope sender: empty, or an address that the client may use. */
export function admitSender(snapshot: Snapshot, client: Client, sender: Address | undefined): Refusal | undefined {
  return sender === undefined
    ? undefined
    : admitAddress(snapshot, client, { address: sender, place: "Envelope sender" });
}

interface Claim {
  readonly address: Address;
  readonly place: string;
}

/** One text for a domain that is not ours and one that is another's: what others have is not this client's to learn. */
function admitAddress(snapshot: Snapshot, client: Client, claim: Claim): Refusal | undefined {
  const { domain, local } = claim.address;
  const settings = snapshot.domains.get(domain);
  const isAllowed = settings !== undefined && isGranted(snapshot, client, settings);
  if (isAllowed && matchesLocalPart(settings.document.addresses, local)) return undefined;
  // What the operator says of it is not known: a client that may use it must not hear a refusal for good.
  if (snapshot.gaps.shards || snapshot.gaps.domains.has(domain)) {
    return refusal(451, "4.3.5", `${claim.place}: domain ${domain} cannot be served yet, try again later`);
  }
  if (!isAllowed) {
    const cause = settings === undefined ? "no such sender domain" : "not granted";
    return { ...refusal(550, "5.7.1", `${claim.place}: domain ${domain} is not granted to this client`), cause };
  }
  return refusal(550, "5.7.1", `${claim.place}: this local part may not be used in domain ${domain}`);
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
    const refused = admitAddress(snapshot, client, { address, place: "From" });
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
      const refused = admitAddress(snapshot, client, { address, place });
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
