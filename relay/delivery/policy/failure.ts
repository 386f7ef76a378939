/**
 * The one place that decides what trouble on the way out means: deferred or failed, and for whom.
 *
 * Promise: judge() is total. What it does not know is temporary and an operator's mistake (a smarthost that refuses our
 * login, a certificate that does not verify) never costs a message before it expires.
 */
import type { LocalReason, Phase, Trouble } from "../../mail/hostanswer.ts";
import { formatReply, longestReply, type Reply } from "../../mail/reply.ts";

/** Whom the trouble concerns: `host` means that another host of the same route may do better, at once. */
type Scope = "recipient" | "message" | "host";

interface Meaning {
  readonly kind: "deferred" | "failed";
  readonly scope: Scope;
  readonly reply: Reply;
  /** Not the recipients but what they are together was refused, their number or whose they are: fewer may be taken, at once. */
  readonly refusedTogether?: "number" | "mixture";
}

/** Phases before MAIL: what goes wrong there says nothing about the message. */
const sessionPhases: ReadonlySet<Phase> = new Set(["dns", "connect", "greeting", "ehlo", "tls", "auth"]);

/** RFC 4954 section 6: the hop wants a login that it does not get. Our configuration is at fault, not the message. */
const authenticationCodes: ReadonlySet<number> = new Set([530, 534, 535, 538]);

type LocalRule = readonly [kind: Meaning["kind"], scope: Scope, code: number, enhanced: string, text: string];

const localRules: Readonly<Record<LocalReason, LocalRule>> = {
  "cannot-sign": ["deferred", "message", 451, "4.7.0", "no usable DKIM key for the sender's domain"],
  "body-unreadable": ["deferred", "message", 451, "4.3.0", "the spool could not read the message"],
  "no-route": ["deferred", "message", 451, "4.4.4", "no way out for this recipient"],
  // delivery.mode changed while it was on its way: the next attempt does as the mode says.
  withheld: ["deferred", "message", 451, "4.3.2", "held back: delivery.mode changed while it was on its way"],
  // RFC 6531 section 3.6: a message that needs SMTPUTF8 must not go to a server without it.
  "no-smtputf8": ["failed", "message", 553, "5.6.7", "the next hop does not offer SMTPUTF8"],
  // RFC 6152 section 3: converting the body would break its signature.
  "no-8bitmime": ["failed", "message", 554, "5.6.3", "the next hop does not offer 8BITMIME"],
  // RFC 5321 section 4.1.1.1: without an answer to EHLO nobody knows what the host can do; another, or the same one later, says.
  "smtputf8-unknown": ["deferred", "host", 451, "4.6.7", "the next hop did not say whether it has SMTPUTF8"],
  "8bitmime-unknown": ["deferred", "host", 451, "4.6.3", "the next hop did not say whether it has 8BITMIME"],
  // RFC 1870 section 6.1.
  "too-large": ["failed", "message", 552, "5.3.4", "larger than the next hop accepts"],
  "tls-not-offered": ["deferred", "host", 451, "4.7.4", "TLS is required and the next hop does not offer it"],
  "tls-failed": ["deferred", "host", 451, "4.7.5", "TLS is required and could not be established"],
  "credentials-unprotected": ["deferred", "host", 451, "4.7.0", "credentials are only sent inside verified TLS"],
  // RFC 7505 section 4.2.
  "null-mx": ["failed", "recipient", 556, "5.1.10", "the recipient's domain accepts no mail (null MX)"],
  "no-such-domain": ["failed", "recipient", 550, "5.1.2", "the recipient's domain does not exist"],
  // RFC 5321 section 5.1: a domain without MX is its own mail host, when it has an address.
  "no-mail-host": ["failed", "recipient", 550, "5.1.2", "the recipient's domain has neither MX nor address"],
  // RFC 5321 section 5.1: MX records of which none can be used are an error. RFC 3463 section 3.5: unable to route.
  "mx-unusable": ["failed", "recipient", 550, "5.4.4", "no mail host of the recipient's domain can be used"],
  // RFC 3463 section 3.5: X.4.6, routing loop.
  "mx-loop": ["failed", "recipient", 554, "5.4.6", "mail for the recipient's domain would come back to this relay"],
  // RFC 3463 section 3.8: X.7.1, delivery not authorized.
  "blocked-network": [
    "failed",
    "recipient",
    550,
    "5.7.1",
    "no mail is delivered to the network of the recipient's host",
  ],
  "dns-trouble": ["deferred", "recipient", 451, "4.4.3", "the recipient's domain could not be looked up"],
};

/** Decides what `trouble` means. Never throws; the reply always has an enhanced code. */
export function judge(trouble: Trouble): Meaning {
  if (trouble.reply !== undefined) return judgeReply(trouble.phase, trouble.reply);
  if (trouble.reason !== undefined) return judgeReason(localRules[trouble.reason], trouble);
  return judgeSilence(trouble);
}

function judgeReply(phase: Phase, reply: Reply): Meaning {
  // RFC 5321 section 3.8: 421 may come at any time and says that the host, not the message, is in trouble.
  if (reply.code === 421) return { kind: "deferred", scope: "host", reply: withEnhanced(reply, "4.3.2") };
  // RFC 5321 section 4.2: refused before MAIL, so whatever it says, this message was not judged.
  if (sessionPhases.has(phase)) return { kind: "deferred", scope: "host", reply: temporary(phase, reply) };
  if (authenticationCodes.has(reply.code)) return { kind: "deferred", scope: "host", reply: temporary("auth", reply) };
  if (isAboutTheMixture(phase, reply)) return { ...judgeTheNumber(phase, reply), refusedTogether: "mixture" };
  if (isAboutTheNumber(phase, reply)) return judgeTheNumber(phase, reply);
  // RFC 5321 section 4.5.3.1.10: a 552 to RCPT means too many recipients and is to be taken as 452.
  if (phase === "rcpt" && reply.code === 552)
    return { kind: "deferred", scope: "recipient", reply: temporary(phase, reply) };
  const scope = phase === "rcpt" ? "recipient" : "message";
  if (reply.code >= 500 && reply.code <= 599) return { kind: "failed", scope, reply: withEnhanced(reply, "5.0.0") };
  if (reply.code >= 400 && reply.code <= 499) {
    // RFC 3463 section 3.4: X.3.X is about the host (full, busy, shutting down): the next one may take it now.
    const ofHost = phase !== "end" && (reply.enhanced?.startsWith("4.3.") ?? reply.code === 452);
    return {
      kind: "deferred",
      scope: ofHost && scope === "message" ? "host" : scope,
      reply: withEnhanced(reply, "4.0.0"),
    };
  }
  // RFC 5321 section 4.2.1: a reply out of place; the session can not be trusted, the message can wait.
  const text = `unexpected reply at ${phase}: ${formatReply(reply)}`;
  return { kind: "deferred", scope: "message", reply: { code: 451, enhanced: "4.5.0", text } };
}

/** Phases in which a next hop says how many recipients it takes at once. */
const countingPhases: ReadonlySet<Phase> = new Set(["rcpt", "data", "end"]);

/** As Postfix, Exim, Exchange, Sendmail, qmail and their kin say it. One recipient who is over a quota is none of them. */
const countingWords =
  /\btoo (?:many|much) (?:rcpts?|recipients?|addresses)\b|\b(?:recipients?|rcpts?) (?:count|limit|number)\b|\b(?:max(?:imum)?|limit)\b[^\n]{0,40}\b(?:recipients|rcpts)\b|\b(?:recipients|rcpts)\b[^\n]{0,40}\bexceed/i;

/** RFC 3463 section 3.6: X.5.3, too many recipients. RFC 5321 section 4.5.3.1.10: so does 452, or 552, to RCPT say. */
function isAboutTheNumber(phase: Phase, { code, enhanced, text }: Reply): boolean {
  if (!countingPhases.has(phase) || code < 400 || code > 599) return false;
  if (/^[45]\.5\.3$/.test(enhanced ?? "")) return true;
  // An address or a mailbox is at fault, whatever the words are.
  if (/^[45]\.[12]\./.test(enhanced ?? "")) return false;
  const isBareStorage = phase === "rcpt" && enhanced === undefined && (code === 452 || code === 552);
  return isBareStorage || countingWords.test(text);
}

/** Google says it of domains, Outlook of regions: whoever is of another than the first waits for the next transaction. */
const mixingWords = /\bmultiple (?:(?:destination|recipient) )?(?:domains|regions|tenants)\b/i;

/** Only what is said for now: where it is said for good, nobody would hear of it before the mail expires. */
function isAboutTheMixture(phase: Phase, { code, text }: Reply): boolean {
  return phase === "rcpt" && code >= 400 && code <= 499 && mixingWords.test(text);
}

function judgeTheNumber(phase: Phase, reply: Reply): Meaning {
  const scope = phase === "rcpt" ? "recipient" : "message";
  return { kind: "deferred", scope, reply: temporary("rcpt", reply, phase), refusedTogether: "number" };
}

/**
 * How many recipients a host takes at once, when it refused `tried` of them together: the number in its words when there
 * is one that is less, half of them otherwise.
 */
export function fewerRecipients({ text }: Reply, tried: number): number {
  const named = [...text.matchAll(/(?<![\w.])\d{1,5}(?![\w]|\.\d)/g)].map(([digits]) => Number(digits));
  const fitting = named.filter((count) => count > 0 && count < tried);
  return fitting.length > 0 ? Math.max(...fitting) : Math.max(1, Math.floor(tried / 2));
}

function judgeReason([kind, scope, code, enhanced, text]: LocalRule, trouble: Trouble): Meaning {
  return { kind, scope, reply: { code, enhanced, text: sentence(text, trouble) } };
}

/** The other side said nothing: RFC 3463 section 3.5, X.4.1 when it never answered and X.4.2 when it went away. */
function judgeSilence(trouble: Trouble): Meaning {
  const { phase } = trouble;
  if (phase === "local") return judgeReason(localRules["body-unreadable"], trouble);
  if (phase === "dns") {
    return judgeReason(["deferred", "host", 451, "4.4.3", "the next hop's name could not be looked up"], trouble);
  }
  if (phase === "tls") return judgeReason(localRules["tls-failed"], trouble);
  const text = sentence(phase === "connect" ? "could not connect" : `connection lost ${lossPoints[phase]}`, trouble);
  const reply = { code: 451, enhanced: phase === "connect" ? "4.4.1" : "4.4.2", text };
  // After the final dot the hop may have taken the message: another host at once would make a duplicate likely.
  return { kind: "deferred", scope: phase === "end" ? "message" : "host", reply };
}

const lossPoints: Readonly<Record<Exclude<Phase, "local" | "dns" | "tls" | "connect">, string>> = {
  greeting: "before the greeting",
  ehlo: "after EHLO",
  auth: "during AUTH",
  mail: "after MAIL",
  rcpt: "after RCPT",
  data: "after DATA",
  body: "while the message was sent",
  end: "after the message was sent; it may arrive twice",
};

/** Details may repeat what the other side said, at any length. */
function sentence(text: string, trouble: Trouble): string {
  const where = trouble.nextHop === undefined ? "" : ` (${trouble.nextHop})`;
  return trouble.detail === undefined ? `${text}${where}` : `${text}${where}: ${trouble.detail.slice(0, longestReply)}`;
}

function withEnhanced(reply: Reply, enhanced: string): Reply {
  return reply.enhanced === undefined ? { ...reply, enhanced } : reply;
}

/** A permanent reply that is not taken as one: our code says temporary, the text keeps what was said and where. */
function temporary(phase: Phase, reply: Reply, said: Phase = phase): Reply {
  if (reply.code >= 400 && reply.code <= 499) return withEnhanced(reply, "4.0.0");
  const enhanced = phase === "auth" ? "4.7.8" : phase === "tls" ? "4.7.5" : phase === "rcpt" ? "4.5.3" : "4.3.2";
  return { code: 451, enhanced, text: `next hop said at ${said.toUpperCase()}: ${formatReply(reply)}` };
}

/**
 * What it means for a message whose time is up: nothing is left to wait for.
 * RFC 3463 section 3.5: X.4.7, delivery time expired; the class stays that of the trouble.
 */
export function expire(meaning: Meaning): Meaning {
  if (meaning.kind === "failed") return meaning;
  const text = `delivery time expired; the last answer was ${formatReply(meaning.reply)}`;
  return { kind: "failed", scope: meaning.scope, reply: { code: meaning.reply.code, enhanced: "4.4.7", text } };
}
