/** Where Mailboat's kinds live in the Kubernetes API. Public: manifests, RBAC rules and clients spell these. */

export const group = "mailboat.dev";
export const version = "v1alpha1";
export const apiVersion = "mailboat.dev/v1alpha1";

export const mailRelayKind = "MailRelay";
export const mailRelayPlural = "mailrelays";
export const mailRelayShortName = "mr";

export const senderDomainKind = "SenderDomain";
export const senderDomainPlural = "senderdomains";
export const senderDomainShortName = "sd";

/** `kubectl get mail` lists both kinds. */
export const category = "mail";
