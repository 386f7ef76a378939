/**
 * Reconciles one SenderDomain: gather, plan, carry out. Removing what it leaves behind is its relay's work. Resolves to the
 * milliseconds after which to look again; undefined when only a change matters.
 */
import { isDeepStrictEqual } from "node:util";
import { dkimSelectorLabel, managedByLabel, senderDomainLabel } from "../../api/labels.ts";
import type { SenderDomain } from "../../api/senderdomain.ts";
import { nameOf, RejectedError } from "../kube/kube.ts";
import type { Misfit, Secret, Stored } from "../kube/objects.ts";
import { encodeData } from "../kube/secret.ts";
import { ownerOf } from "../mailrelay/world.ts";
import { makePrivateKey } from "./dkimkey.ts";
import { type DomainSources, gatherDomain } from "./gather.ts";
import { privateKeyDataKey } from "./keys.ts";
import { planDomain, planMisfitDomain } from "./plan.ts";
import type { DomainWorld } from "./world.ts";

export async function reconcileDomain(
  sources: DomainSources,
  key: { readonly namespace: string; readonly name: string },
): Promise<number | undefined> {
  const { kube, memory } = sources;
  const domain = await kube.get("SenderDomain", key.namespace, key.name);
  if (domain === undefined) {
    const misfit = await kube.misfit("SenderDomain", key.namespace, key.name);
    if (misfit !== undefined) return sayMisfit(sources, misfit);
    memory.sawLoaded(nameOf(key), undefined);
    memory.rejected(refusedKey(key), []);
    return undefined;
  }
  const world = await gatherDomain(sources, domain);
  const plan = planDomain(world);
  const made = await Promise.all(
    plan.make.map(async ({ algorithm, selector }) => renderKey(domain, selector, await makePrivateKey(algorithm))),
  );
  for (const secret of made) await kube.apply(secret);
  if (plan.write !== undefined) {
    await kube.mergeSecret(plan.write.secret, { [plan.write.dataKey]: plan.write.text });
  }
  memory.sawLoaded(nameOf(key), plan.loaded);
  await kube.applyStatus("SenderDomain", domain, plan.status);
  for (const event of plan.events) await kube.emit(event);
  if (plan.loaded === undefined) return (await haveMoved(sources, world)) ? 0 : plan.requeueAfterMs;
  kube.release(key.namespace, keySecretNames(world));
  return plan.requeueAfterMs;
}

/** Where not even status may be written, the event alone says it. What is wrong ends with a change, of which a watch tells. */
async function sayMisfit({ kube, memory, now }: DomainSources, domain: Misfit<"SenderDomain">): Promise<undefined> {
  const { status, events } = planMisfitDomain(domain, now());
  const refusals: string[] = [];
  try {
    await kube.applyStatus("SenderDomain", domain, status);
  } catch (error) {
    if (!(error instanceof RejectedError)) throw error;
    refusals.push(error.message);
  }
  const isNews = memory.rejected(refusedKey(domain.metadata), refusals);
  if (refusals.length === 0 || isNews) for (const event of events) await kube.emit(event);
}

/** Relays have names of the same form. */
function refusedKey(domain: { readonly namespace: string; readonly name: string }): string {
  return `SenderDomain ${nameOf(domain)}`;
}

/**
 * Whether the relay's pods are not what they were when the domain was judged. News of them goes to the domains that wait by
 * their status: what came while this one's was on its way has passed it by, and nothing else would tell.
 */
async function haveMoved({ kube }: DomainSources, { relay }: DomainWorld): Promise<boolean> {
  if (relay === undefined) return false;
  const now = await kube.get("MailRelay", relay.metadata.namespace, relay.metadata.name);
  return !isDeepStrictEqual(loadedBy(now), loadedBy(relay));
}

function loadedBy(relay: DomainWorld["relay"]): unknown {
  return [relay?.status?.pods, relay?.status?.revision];
}

function keySecretNames({ domain, managedKeys = [] }: DomainWorld): readonly string[] {
  const given = (domain.spec.dkim?.keys ?? []).map((key) => key.secretName);
  return [...given, ...managedKeys.map((secret) => secret.metadata.name)];
}

function renderKey(domain: Stored<SenderDomain>, selector: string, privateKey: string): Secret {
  const { namespace, name } = domain.metadata;
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: `${name}-dkim-${selector}`,
      namespace,
      labels: {
        [managedByLabel]: "mailboat-operator",
        [senderDomainLabel]: name,
        [dkimSelectorLabel]: selector,
      },
      ownerReferences: [ownerOf(domain)],
    },
    type: "Opaque",
    data: encodeData({ [privateKeyDataKey]: privateKey }),
  };
}
