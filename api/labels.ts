/** Every label, annotation, finalizer and field-manager name that Mailboat writes or reads, so that each is spelled once. */

/** Kubernetes' recommended labels, on everything the operator makes. */
export const nameLabel = "app.kubernetes.io/name";
export const instanceLabel = "app.kubernetes.io/instance";
export const componentLabel = "app.kubernetes.io/component";
export const managedByLabel = "app.kubernetes.io/managed-by";

/** Name of the MailRelay an object belongs to; pods are selected by it, so it never changes. */
export const relayLabel = "mailboat.dev/relay";
/** Name of the SenderDomain an object belongs to. */
export const senderDomainLabel = "mailboat.dev/sender-domain";
/** Present on pods that take client mail: the client Service selects on it, and scale-in removes it first. */
export const servingLabel = "mailboat.dev/serving";
/** On volumes that outlived their relay because their spool still holds mail. */
export const retainedLabel = "mailboat.dev/retained-spool";
/** `00` to `31`: which shard of the sender domains a Secret holds. */
export const shardLabel = "mailboat.dev/shard";
/** Selector of the DKIM key a Secret holds. */
export const dkimSelectorLabel = "mailboat.dev/dkim-selector";

/** On pods: written after a configuration change, so that the kubelet refreshes mounts at once instead of after 60-90 s. */
export const revisionAnnotation = "mailboat.dev/revision";
/** On StatefulSets: generation of the MailRelay that they were made from. */
export const generationAnnotation = "mailboat.dev/generation";
/** On StatefulSets: at whose instance their template was written last (operator/mailrelay/rollout/rollout.ts). */
export const rolloutAnnotation = "mailboat.dev/rollout";
/** On pods: digest of the template that they were made from. */
export const templateAnnotation = "mailboat.dev/template";
/** On volumes whose pod has left: recipients that waited in the spool then. */
export const queuedAnnotation = "mailboat.dev/queued";
/** On volumes whose pod has left: id of the spool that was empty, with no way for mail to come in afterwards. */
export const emptySpoolAnnotation = "mailboat.dev/empty-spool";
/** On Secrets of logins, by whoever makes them: when they let nobody in any more, as RFC 3339 writes it. */
export const expiresAtAnnotation = "mailboat.dev/expires-at";
/** On Secrets and objects the operator renders: digest of their content, to apply only what differs. */
export const digestAnnotation = "mailboat.dev/digest";

/** On MailRelays: spools are handed over before the object goes. Never held longer than the drain deadline. */
export const drainFinalizer = "mailboat.dev/drain";

/** Field managers of server-side apply: one for objects, one for status, one for finalizers; spec is never ours. */
export const objectFieldManager = "mailboat-operator";
export const statusFieldManager = "mailboat-operator-status";
export const finalizerFieldManager = "mailboat-operator-finalizer";

/** What every object of one relay carries. */
export function labelsFor(relayName: string): Record<string, string> {
  return {
    [nameLabel]: "mailboat",
    [instanceLabel]: relayName,
    [componentLabel]: "relay",
    [managedByLabel]: "mailboat-operator",
    [relayLabel]: relayName,
  };
}
