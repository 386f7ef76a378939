/**
 * Reconciles one SenderDomain: gather, plan, carry out. Removing what it leaves behind is its relay's work. Resolves to the
 * milliseconds after which to look again; undefined when only a change matters.
 */
import { isDeepStrictEqual } from "node:util";
import type { SenderDomain } from "../../api/senderdomain.ts";
import { keyOf, nameOf } from "../kube/kube.ts";
import type { Misfit, Stored } from "../kube/objects.ts";
import { carryOut } from "../work/carryout.ts";
import { isServedAt } from "../installation/installation.ts";
import { type DomainSources, gatherDomain } from "./gather.ts";
import { planDomain, planMisfitDomain } from "./plan.ts";
import { domainReferences, relayOf } from "./references.ts";
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
    memory.rejections.forget(keyOf({ kind: "SenderDomain", ...key }));
    sources.credentials.forget(keyOf({ kind: "SenderDomain", ...key }));
    return undefined;
  }
  if (!(await isServed(sources, domain))) return undefined;
  const world = await gatherDomain(sources, domain);
  const { told, isUnderWay, againInMs } = await carryOut(sources, {
    subject: { kind: "SenderDomain", ...key, generation: domain.metadata.generation },
    plan: planDomain(world),
    again: (rejections) => Promise.resolve(planDomain({ ...world, rejections })),
  });
  memory.sawLoaded(nameOf(key), told.loaded);
  if (isUnderWay) return againInMs;
  if (told.loaded === undefined) return (await haveMoved(sources, world)) ? 0 : againInMs;
  kube.release(key.namespace, keySecretNames(world));
  return againInMs;
}

/** One that refers to no relay at all is told so by every operator, in the same words. */
async function isServed({ kube, installation }: DomainSources, domain: Stored<SenderDomain>): Promise<boolean> {
  const { namespace, name } = relayOf(domain);
  const relay =
    (await kube.get("MailRelay", namespace, name))?.spec ?? (await kube.misfit("MailRelay", namespace, name));
  return isServedAt(installation, relay);
}

/** Where not even status may be written, the event alone says it. What is wrong ends with a change, of which a watch tells. */
async function sayMisfit(sources: DomainSources, domain: Misfit<"SenderDomain">): Promise<undefined> {
  const { namespace, name, generation } = domain.metadata;
  const plan = planMisfitDomain(domain, sources.now());
  const subject = { kind: "SenderDomain", namespace, name, generation } as const;
  await carryOut(sources, { subject, plan, again: () => Promise.resolve(plan) });
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
  const given = domainReferences(domain).filter(({ use }) => use === "signingKey");
  return [...given.map(({ name }) => name), ...managedKeys.map((secret) => secret.metadata.name)];
}
