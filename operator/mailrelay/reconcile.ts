/**
 * Reconciles one MailRelay: gather, plan, carry out in a fixed order. Level-based: the key says what to look at, never
 * what happened. Throws only for the unexpected; the loop tries again.
 */
import type { Kube } from "../kube/kube.ts";
import type { MailRelay } from "../../api/mailrelay.ts";
import type { Stored } from "../kube/objects.ts";
import { encodeData } from "../kube/secret.ts";
import { readCertificate } from "./certificate.ts";
import { gatherRelay, readAuthority, type RelaySources } from "./gather.ts";
import { renderCertificate } from "./objects/certificate.ts";
import { authoritySecretName } from "./objects/names.ts";
import { planRelay } from "./plan.ts";
import type { IssuedCertificate } from "./world.ts";

/** Resolves to the milliseconds after which to look again; undefined when the relay is gone. */
export async function reconcileRelay(
  sources: RelaySources,
  key: { readonly namespace: string; readonly name: string },
): Promise<number | undefined> {
  const { kube } = sources;
  const relay = await kube.get("MailRelay", key.namespace, key.name);
  if (relay === undefined) return undefined;
  const plan = planRelay(await gatherRelay(sources, relay));
  if (plan.issueFor !== undefined) await issueOwn(sources, relay, plan.issueFor);
  for (const removal of plan.removals) {
    await kube.mergeSecret(removal.secret, Object.fromEntries(removal.keys.map((dataKey) => [dataKey, undefined])));
  }
  for (const object of plan.apply) await kube.apply(object);
  await kube.applyStatus("MailRelay", relay, plan.status);
  for (const event of plan.events) await kube.emit(event);
  return plan.requeueAfterMs;
}

async function issueOwn(sources: RelaySources, relay: Stored<MailRelay>, names: readonly string[]): Promise<void> {
  // Loaded when it is needed, which is four times a year.
  const { issueLeaf, leafLifeMs, makeCertificateAuthority } = await import("./issue.ts");
  const { kube, place } = sources;
  const now = sources.now();
  const present = await readAuthority(kube, place.namespace);
  const reading = readCertificate(present?.certificate, present?.privateKey);
  // The authority outlives every certificate it signs, or is made anew.
  const serves = present !== undefined && reading.kind === "usable" && reading.fact.notAfter - now > leafLifeMs;
  const authority = serves ? present : await makeCertificateAuthority(now);
  if (!serves) await keepAuthority(kube, place.namespace, authority);
  const leaf = await issueLeaf({ authority, names, now });
  const content = { chain: leaf.certificate, privateKey: leaf.privateKey, authority: authority.certificate };
  await kube.apply(renderCertificate(relay, content));
}

async function keepAuthority(kube: Kube, namespace: string, authority: IssuedCertificate): Promise<void> {
  await kube.apply({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: authoritySecretName, namespace },
    type: "kubernetes.io/tls",
    data: encodeData({ "tls.crt": authority.certificate, "tls.key": authority.privateKey }),
  });
}
