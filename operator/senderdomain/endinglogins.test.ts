/** Logins that end, as the domain that they are of tells of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { domainOf, domainWorld } from "../../test/support/operatorobjects.ts";
import { planDomain } from "../../test/support/plans.ts";
import type { DomainWorld } from "./world.ts";

const byLogin = { name: "logins", credentials: { secretSelector: { matchLabels: { app: "shop" } } } };
const domain = domainOf({ spec: { senders: [byLogin] } });
const scram = { salt: "c2FsdA==", iterations: 4096, storedKey: "a2V5", serverKey: "a2V5" };
const app = { identity: "mail/app", username: "app", scram };

interface Ends {
  readonly ended?: readonly string[];
  readonly ending?: readonly string[];
  readonly nextMs?: number;
}

function worldOf(documents: DomainWorld["credentials"]["documents"], told: Ends): DomainWorld {
  const { ended = [], ending = [], nextMs } = told;
  return domainWorld({ domain, credentials: { documents, problems: [], ends: { ended, ending, nextMs } } });
}

const rows: readonly (readonly [what: string, world: DomainWorld, reason: string, message: RegExp])[] = [
  ["one that ends within a week", worldOf([app], { ending: ["f: soon"] }), "SendersExpiring", /^f: soon$/],
  [
    "one that has ended beside one that will",
    worldOf([app], { ended: ["f: over"], ending: ["f: soon"] }),
    "SendersIncomplete",
    /^f: over; f: soon$/,
  ],
  ["none that has not ended", worldOf([], { ended: ["f: over"] }), "NoSenders", /^f: over$/],
];
for (const [what, world, reason, message] of rows) {
  test(`a domain with ${what} is Accepted True with reason ${reason}`, () => {
    const status = planDomain(world).actions.find((action) => action.kind === "status")?.status;
    const accepted = status?.conditions?.find(({ type }) => type === "Accepted");
    assert.deepEqual([accepted?.status, accepted?.reason], ["True", reason]);
    assert.match(accepted?.message ?? "", message);
  });
}

test("a domain is looked at again when a login of it is about to end, or has", () => {
  assert.equal(planDomain(worldOf([app], { nextMs: 5_000 })).requeueAfterMs, 5_000);
  assert.equal(
    planDomain(worldOf([app], { nextMs: 1e9 })).requeueAfterMs,
    planDomain(domainWorld({ domain })).requeueAfterMs ?? 1e9,
  );
});
