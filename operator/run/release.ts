/**
 * The operator's last act, when it is uninstalled: its finalizer comes off every MailRelay of its class, because nobody would take it off
 * later and a deletion would wait for ever. Relays and spools stay as they are, and an operator that comes back puts the
 * finalizer on again.
 */
import { setTimeout as pause } from "node:timers/promises";
import { drainFinalizer, finalizerFieldManager } from "../../api/labels.ts";
import { Client } from "../kube/client/client.ts";
import { isFailure } from "../kube/client/failure.ts";
import type { RawObject } from "../kube/client/resource.ts";
import { classNameOf } from "../kube/cluster/decode.ts";
import { resourceOf } from "../kube/cluster/resources.ts";
import type { Log } from "../../runtime/log.ts";
import type { ReleaseSettings } from "../settings.ts";
import { giveUpLease, openElection, type Opening, openServer } from "./opening.ts";

export interface Release extends Opening {
  readonly settings: ReleaseSettings;
}

/** Rounds of removal: an operator that ends while this runs may put one on again. */
const rounds = 5;

/** Resolves to the exit code: 1 when an operator leads all the time, which would put them on again; nothing is taken off then. */
export async function runRelease(release: Release): Promise<number> {
  const { settings, log, monotonic } = release;
  const opened = await openServer(release);
  const { transport, leaseTransport } = opened;
  const client = new Client({ transport, concurrency: 4, now: monotonic });
  const election = openElection(release, client, opened);
  election.start();
  // Whoever holds the lease is the only one that acts: this one, once no operator does.
  const late = pause(settings.patienceMs, false, { ref: false });
  const isAlone = await Promise.race([election.elected.then(() => true), late]);
  if (isAlone) await releaseInRounds(client, settings, log);
  else {
    const facts = { holder: election.holder, patienceMs: settings.patienceMs };
    log.error(facts, "an operator still leads and would put finalizers on again: end it, and run this once more");
  }
  await giveUpLease(election, log);
  transport.close();
  leaseTransport.close();
  return isAlone ? 0 : 1;
}

async function releaseInRounds(client: Client, settings: ReleaseSettings, log: Log): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const released = await releaseAll(client, settings, log);
    log.info({ released }, "finalizers are off");
    if (released === 0) return;
  }
}

/** Returns how many had the finalizer. */
async function releaseAll(
  client: Client,
  { namespaces, className }: Pick<ReleaseSettings, "namespaces" | "className">,
  log: Log,
): Promise<number> {
  let released = 0;
  for (const namespace of namespaces.length === 0 ? [undefined] : namespaces) {
    for (const relay of await relaysIn(client, namespace)) {
      if (classNameOf(relay["spec"]) === className && (await releaseOne(client, relay, log))) released += 1;
    }
  }
  return released;
}

async function relaysIn(client: Client, namespace: string | undefined): Promise<readonly RawObject[]> {
  const found: RawObject[] = [];
  let continueToken: string | undefined;
  do {
    const wanted = continueToken === undefined ? {} : { continueToken };
    const page = await client
      .list(resourceOf("MailRelay"), { namespace }, { limit: 500, ...wanted })
      .catch((error: unknown) => noneWithoutDefinition(error));
    if (page === undefined) break;
    found.push(...page.items);
    continueToken = page.continueToken;
  } while (continueToken !== undefined);
  return found;
}

/** A release that does not keep the definitions has taken every MailRelay along: then there is nothing left to do. */
function noneWithoutDefinition(error: unknown): undefined {
  if (!isFailure(error, "NotFound")) throw error;
}

async function releaseOne(client: Client, { metadata }: RawObject, log: Log): Promise<boolean> {
  const list = metadata["finalizers"];
  if (!Array.isArray(list) || !list.includes(drainFinalizer)) return false;
  const finalizers = list.filter((one) => one !== drainFinalizer);
  const { uid, resourceVersion, namespace, name } = metadata;
  try {
    const body = { metadata: { uid, resourceVersion, finalizers } };
    await client.mergePatch(
      resourceOf("MailRelay"),
      { namespace, name },
      { body, fieldManager: finalizerFieldManager },
    );
  } catch (error) {
    if (isFailure(error, "Invalid")) {
      // One that is stored against its definition holds up no other: it goes once a person has corrected it.
      log.error(
        { namespace, name, error: error.said },
        "a finalizer stays on: correct the spec and take it off by hand",
      );
      return false;
    }
    // Changed or gone meanwhile: the next round sees it as it is then.
    if (!isFailure(error, "Conflict", "NotFound")) throw error;
  }
  return true;
}
