/**
 * What an enhanced status code (RFC 3463, RFC 5248 and the IANA registry behind it) means for a person who sent a message,
 * and what that person can do about it. Pure; a code that is not listed is explained by its subject.
 */

export interface Meaning {
  readonly what: string;
  readonly advice: string;
}

const checkAddress = "Check the address for typing mistakes, or ask the recipient for the right one another way.";
const tryLater = "Send the message again later, or reach the recipient another way.";
const askOperator = "Pass this notice on to whoever runs your mail relay.";
const smaller = "Make the message smaller, for example by sharing a link to its attachments.";
const askPolicy = "Pass this notice on to whoever runs your mail; the other side's words often say what it wants.";

/** By `subject.detail`. */
const meanings: Readonly<Record<string, Meaning>> = {
  "1.1": { what: "There is no mailbox with this address.", advice: checkAddress },
  "1.2": { what: "The domain of this address does not exist or takes no mail.", advice: checkAddress },
  "1.3": { what: "The other side says that this address is malformed.", advice: checkAddress },
  "1.6": { what: "The mailbox has moved, and its mail is not forwarded.", advice: checkAddress },
  "1.7": { what: "The other side does not accept your sender address.", advice: askOperator },
  "1.8": { what: "The other side does not accept your sender address.", advice: askOperator },
  "1.10": { what: "The domain of this address accepts no mail at all.", advice: checkAddress },
  "2.1": { what: "The mailbox is disabled.", advice: "Reach the recipient another way." },
  "2.2": { what: "The mailbox is full.", advice: tryLater },
  "2.3": { what: "The message is larger than the mailbox accepts.", advice: smaller },
  "3.1": { what: "The other side's mail system is full.", advice: tryLater },
  "3.2": { what: "The other side's mail system does not accept mail at the moment.", advice: tryLater },
  "3.4": { what: "The message is larger than the next mail server accepts.", advice: smaller },
  "4.1": { what: "The next mail server gave no answer.", advice: tryLater },
  "4.2": { what: "The connection to the next mail server broke.", advice: tryLater },
  "4.3": { what: "The domain of this address could not be looked up.", advice: tryLater },
  "4.4": { what: "No way to the domain of this address was found.", advice: checkAddress },
  "4.5": { what: "The other side's mail system is too busy.", advice: tryLater },
  "4.6": { what: "The message went round in a circle.", advice: askOperator },
  "4.7": { what: "The message could not be delivered in the time allowed for it.", advice: tryLater },
  "5.3": { what: "The message has more recipients than the other side takes at once.", advice: tryLater },
  "6.3": {
    what: "The next mail server cannot carry the characters of this message.",
    advice: "Send it in another encoding.",
  },
  "6.7": {
    what: "The next mail server cannot carry addresses with characters outside ASCII.",
    advice: "Ask the recipient for an address in plain letters.",
  },
  "7.8": { what: "The next mail server refused the login of the relay.", advice: askOperator },
  "7.20": { what: "The other side refused the message because of its DKIM signature.", advice: askOperator },
  "7.23": { what: "The other side refused the message because of the SPF record of your domain.", advice: askOperator },
  "7.25": { what: "The other side refused the mail relay because of its DNS name.", advice: askOperator },
  "7.26": { what: "The other side could not verify that the message is from your domain.", advice: askOperator },
};

/** By subject, RFC 3463 section 3. */
const subjects: Readonly<Record<string, Meaning>> = {
  "1": { what: "The other side does not accept this address.", advice: checkAddress },
  "2": { what: "The mailbox cannot take the message.", advice: tryLater },
  "3": { what: "The other side's mail system cannot take the message.", advice: tryLater },
  "4": { what: "The recipient's domain could not be reached.", advice: tryLater },
  "5": { what: "The mail servers did not understand each other.", advice: askOperator },
  "6": { what: "The other side cannot take the content of the message.", advice: "Send it in another form." },
  "7": { what: "The other side refused the message: its policy forbids it.", advice: askPolicy },
};

/** By subject, when nobody else said it: trouble of our own must not be put on the other side. */
const ownSubjects: Readonly<Record<string, Meaning>> = {
  "3": { what: "The relay itself had trouble with the message.", advice: askOperator },
  "7": { what: "The relay could not send the message in the way that its settings demand.", advice: askOperator },
};

const refused: Meaning = { what: "The other side refused the message.", advice: askPolicy };
const refusedMailbox: Meaning = { what: "The other side refused the message.", advice: checkAddress };
const putOff: Meaning = { what: "The other side did not take the message.", advice: tryLater };

/** RFC 5321 section 4.2.3: these speak of the mailbox; 554 and its kin may mean anything, and an address is the least of it. */
const mailboxCodes: ReadonlySet<number> = new Set([550, 551, 553]);

/**
 * `status` is `class.subject.detail`; `saidBy` tells whether another host said so or the relay found it. `code` is asked where the
 * status says nothing.
 */
export function meaningOf(status: string, saidBy: "other side" | "relay", code: number): Meaning {
  const [kind, subject = "", detail = ""] = status.split(".");
  const exact = meanings[`${subject}.${detail}`];
  if (exact !== undefined) return exact;
  if (saidBy === "relay" && ownSubjects[subject] !== undefined) return ownSubjects[subject];
  if (subjects[subject] !== undefined) return subjects[subject];
  if (kind === "4") return putOff;
  return mailboxCodes.has(code) ? refusedMailbox : refused;
}
