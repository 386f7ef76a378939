/**
 * Names of spans, events and attributes, in one place, because no convention for tracing mail exists yet: those of
 * OpenTelemetry where they fit, `smtp.` and `mailboat.` for the rest. No address, subject or content ever: domains only.
 */
export const spanName = {
  receive: "smtp.receive",
  spool: "mail.spool",
  sign: "mail.sign",
  deliver: "mail.deliver",
  send: "smtp.send",
  bounce: "mail.bounce",
  handoff: "mail.handoff",
} as const;

export const eventName = {
  helo: "HELO",
  tls: "TLS",
  auth: "AUTH",
  /** A 4xx or 5xx within a transaction. */
  refused: "refused",
} as const;

export const attribute = {
  messagingSystem: "messaging.system",
  serverAddress: "server.address",
  serverPort: "server.port",
  peerAddress: "network.peer.address",
  /** The number alone, such as `1.3`. */
  tlsVersion: "tls.protocol.version",
  /** accepted, none, expired, untrusted, unsuitable, invalid; never whose it is. */
  clientCertificate: "mailboat.tls.certificate",
  /** Of a failed span: the class of the reply, such as `550`, or what went wrong before there was one. */
  errorType: "error.type",
  replyCode: "smtp.reply.code",
  enhancedCode: "smtp.reply.enhanced_code",
  /** On every span of a message; equal to the id in its Received field and in the log. */
  spoolId: "mailboat.spool.id",
  senderDomain: "mailboat.sender.domain",
  recipientDomains: "mailboat.recipient.domains",
  recipientCount: "mailboat.recipient.count",
  listener: "mailboat.listener",
  authenticated: "mailboat.authenticated",
  authMechanism: "mailboat.auth.mechanism",
  messageSize: "mailboat.message.size",
  /** Counts from 1. */
  attempt: "mailboat.attempt",
  /** accepted, refused, abandoned; delivered, captured, deferred, failed, mixed; of a hand-off taken, known, refused, unknown. */
  outcome: "mailboat.outcome",
  keys: "mailboat.dkim.keys",
  /** What a notice tells of; absent when nobody is told. */
  notice: "mailboat.notice",
  noticeId: "mailboat.notice.id",
} as const;
