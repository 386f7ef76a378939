/**
 * Names of spans and attributes, in one place, because no convention for tracing mail exists yet: the messaging conventions
 * where they fit, `mailboat.` for the rest. No address, subject or content ever: domains only.
 */
export const spanName = {
  receive: "smtp.receive",
  spool: "mail.spool",
  sign: "mail.sign",
  deliver: "mail.deliver",
  send: "smtp.send",
  bounce: "mail.bounce",
} as const;

export const attribute = {
  messagingSystem: "messaging.system",
  serverAddress: "server.address",
  serverPort: "server.port",
  peerAddress: "network.peer.address",
  tlsVersion: "tls.protocol.version",
  errorType: "error.type",
  spoolId: "mailboat.spool.id",
  senderDomain: "mailboat.sender.domain",
  recipientDomains: "mailboat.recipient.domains",
  recipientCount: "mailboat.recipient.count",
  listener: "mailboat.listener",
  authenticated: "mailboat.authenticated",
  sizeBytes: "mailboat.message.size",
  /** Number of the attempt; also what tells the sampler that a root is a retry. */
  attempt: "mailboat.attempt",
  outcome: "mailboat.outcome",
  keys: "mailboat.dkim.keys",
  replyCode: "smtp.reply.code",
  enhancedCode: "smtp.reply.enhanced_code",
  notice: "mailboat.notice",
} as const;

/** Header field that carries the context from hop to hop (W3C Trace Context has no binding for mail yet). */
export const traceparentField = "traceparent";
