/**
 * Reconciles one SenderDomain: gather, plan, carry out. Removing what it leaves behind is its relay's work. Resolves to the
 * milliseconds after which to look again; undefined when only a change matters.
 */
import { isDeepStrictEqual } from "node:util";
import { dkimSelectorLabel, managedByLabel, senderDomainLabel } from "../../api/labels.ts";
import type { SenderDomain } from "../../api/senderdomain.ts";
import { keyOf, nameOf, RejectedError } from "../kube/kube.ts";
import type { Misfit, Secret, Stored } from "../kube/objects.ts";
import { encodeData } from "../kube/secret.ts";
import { type RefusedWrite, rejectionOf } from "../mailrelay/rights.ts";
import { isServedAt, ownerOf, type Rejection } from "../mailrelay/world.ts";
import { managedField, relayField } from "./assess.ts";
import { makePrivateKey } from "./dkimkey.ts";
import { type DomainSources, gatherDomain } from "./gather.ts";
import { type ManagedKeyIntent, privateKeyDataKey } from "./keys.ts";
import { managedSelector, readPrivateKey } from "./privatekey.ts";
import { type DomainPlan, planDomain, planMisfitDomain } from "./plan.ts";
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
  const intended = planDomain(world);
  const { refusals, isBehind } = await carryOut(sources, domain, intended);
  const subject = keyOf({ kind: "SenderDomain", ...key });
  const look = { generation: domain.metadata.generation, now: world.now };
  // What is refused now, or taken again, status says now: a look of its own would meet another refusal, without end.
  const isNews = memory.rejections.met(subject, refusals, look);
  const plan = isNews ? planDomain({ ...world, rejections: memory.rejections.of(subject) }) : intended;
  memory.sawLoaded(nameOf(key), plan.loaded);
  await kube.applyStatus("SenderDomain", domain, plan.status);
  for (const event of plan.events) await kube.emit(event);
  const pauseMs = memory.rejections.pauseMs(subject);
  if (pauseMs > 0) return Math.max(pauseMs, plan.requeueAfterMs ?? 0);
  if (isBehind) return behindMs;
  if (plan.loaded === undefined) return (await haveMoved(sources, world)) ? 0 : plan.requeueAfterMs;
  kube.release(key.namespace, keySecretNames(world));
  return plan.requeueAfterMs;
}

/** One that refers to no relay at all is told so by every operator, in the same words. */
async function isServed({ kube, place }: DomainSources, domain: Stored<SenderDomain>): Promise<boolean> {
  const { namespace, name } = relayOf(domain);
  const relay =
    (await kube.get("MailRelay", namespace, name))?.spec ?? (await kube.misfit("MailRelay", namespace, name));
  return isServedAt(place, relay);
}

interface CarriedOut {
  /** What the API server would not take. */
  readonly refusals: readonly Rejection[];
  /** Something was there already of which the look knew nothing. */
  readonly isBehind: boolean;
}

/** How long a cache that lags behind is given. */
const behindMs = 1_000;

async function carryOut(
  { kube }: DomainSources,
  domain: Stored<SenderDomain>,
  { make, adopt, write }: DomainPlan,
): Promise<CarriedOut> {
  const rejections: Rejection[] = [];
  const attempt = async (refused: RefusedWrite, send: () => Promise<void>): Promise<void> => {
    try {
      await send();
    } catch (error) {
      rejections.push(rejectionOf(refused, error));
    }
  };
  let isBehind = false;
  const made = await Promise.all(
    make.map(async (intent) => renderKey(domain, intent, await makePrivateKey(intent.algorithm))),
  );
  for (const secret of made) {
    const { name } = secret.metadata;
    await attempt({ kind: "Secret", name, field: managedField }, async () => {
      // The key that is there may be published: it is never written over.
      if (!(await kube.createSecret(secret))) isBehind = true;
    });
  }
  for (const secret of adopt) {
    const { name } = secret.metadata;
    await attempt({ kind: "Secret", name, field: managedField }, () => kube.adoptSecret(secret));
  }
  if (write !== undefined) {
    const { secret, dataKey, text } = write;
    const name = nameOf(secret.metadata);
    await attempt({ kind: "Secret", name, field: relayField }, () => kube.mergeSecret(secret, { [dataKey]: text }));
  }
  return { refusals: rejections, isBehind };
}

/** Where not even status may be written, the event alone says it. What is wrong ends with a change, of which a watch tells. */
async function sayMisfit({ kube, memory, now }: DomainSources, domain: Misfit<"SenderDomain">): Promise<undefined> {
  const { namespace, name } = domain.metadata;
  const { status, events } = planMisfitDomain(domain, now());
  const refusals: Rejection[] = [];
  try {
    await kube.applyStatus("SenderDomain", domain, status);
  } catch (error) {
    if (!(error instanceof RejectedError)) throw error;
    refusals.push({ field: "spec", message: error.message });
  }
  const look = { generation: domain.metadata.generation, now: now() };
  const isNews = memory.rejections.met(keyOf({ kind: "SenderDomain", namespace, name }), refusals, look);
  if (refusals.length === 0 || isNews) for (const event of events) await kube.emit(event);
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

function renderKey(domain: Stored<SenderDomain>, intent: ManagedKeyIntent, privateKey: string): Secret {
  const { namespace, name } = domain.metadata;
  const reading = readPrivateKey(privateKey);
  if (reading.kind !== "usable") throw new Error(`a key that was just made cannot be used: ${reading.kind}`);
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: intent.name,
      namespace,
      labels: {
        [managedByLabel]: "mailboat-operator",
        [senderDomainLabel]: name,
        [dkimSelectorLabel]: managedSelector(intent.algorithm, reading.publicKey),
      },
      ownerReferences: [ownerOf(domain)],
    },
    type: "Opaque",
    data: encodeData({ [privateKeyDataKey]: privateKey }),
  };
}
