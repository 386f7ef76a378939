/** What an enhanced status code means, in a few words: RFC 3463 section 3 and IANA's registry, by subject and detail. */

const details: Readonly<Record<string, string>> = {
  "0.0": "no reason given",
  "1.0": "something about the address",
  "1.1": "no such mailbox",
  "1.2": "no such domain",
  "1.3": "address is malformed",
  "1.6": "mailbox has moved",
  "1.8": "sender's domain does not exist",
  "1.10": "recipient's domain takes no mail",
  "2.0": "something about the mailbox",
  "2.1": "mailbox is disabled, or asked too often",
  "2.2": "mailbox is full",
  "2.3": "message is too long for the mailbox",
  "3.0": "something about the receiving system",
  "3.1": "receiving system is full",
  "3.2": "receiving system takes no mail now",
  "3.3": "receiving system lacks what is asked for",
  "3.4": "message is too big",
  "3.5": "receiving system is not set up right",
  "4.0": "something about the network",
  "4.1": "could not connect",
  "4.2": "connection was lost or refused",
  "4.3": "a name server does not answer",
  "4.4": "no way to the host",
  "4.5": "receiving system is congested",
  "4.6": "mail goes round in a loop",
  "4.7": "time is up",
  "5.0": "something about the protocol",
  "5.1": "command not allowed now",
  "5.2": "command not understood",
  "5.3": "too many recipients at once",
  "6.0": "something about the content",
  "6.1": "content type not supported",
  "6.3": "content would have to be converted",
  "6.7": "addresses beyond ASCII not supported",
  "7.0": "refused by policy",
  "7.1": "not allowed to send there",
  "7.8": "login is wrong",
  "7.9": "login is too weak",
  "7.20": "no DKIM signature passes",
  "7.21": "no acceptable DKIM signature",
  "7.23": "SPF does not pass",
  "7.24": "SPF could not be asked",
  "7.25": "our address has no name (PTR)",
  "7.26": "neither SPF nor DKIM passes",
  "7.27": "sender's domain takes no mail",
  "7.28": "too much mail at once",
  "7.30": "TLS is required",
};

/** By the whole code, temporary and permanent, as Grafana's value mappings want it. */
export function statusWords(): Readonly<Record<string, string>> {
  const kinds = ["4", "5"] as const;
  return Object.fromEntries(
    kinds.flatMap((kind) =>
      Object.entries(details).map(([detail, words]) => [`${kind}.${detail}`, `${kind}.${detail} ${words}`]),
    ),
  );
}
