import assert from "node:assert/strict";
import { test } from "node:test";
import { domainOf, domainWorld, now } from "../../test/support/operatorobjects.ts";
import { type DomainFinding, finding } from "./assess.ts";
import { arrivalMs, summarizeDomain, untilArrived } from "./summary.ts";

const old = domainWorld();
const young = domainWorld({ domain: domainOf({ createdAt: new Date(now - 2_000).toISOString() }) });
const good = finding("Accepted", "True", "Accepted", "good");
const lacking = finding("Accepted", "False", "RelayNotFound", "no relay");

const rows: readonly (readonly [
  what: string,
  world: Parameters<typeof summarizeDomain>[0],
  found: DomainFinding,
  said: readonly [ready: string, reconciling: string, stalled: string],
])[] = [
  ["that is served", old, good, ["True Ready", "False Settled", "False Settled"]],
  ["whose relay is not there", old, lacking, ["False Invalid", "False Settled", "True Invalid"]],
  ["whose relay may be on its way", young, lacking, ["False Progressing", "True Progressing", "False Settled"]],
  [
    "whose key is not there",
    old,
    finding("KeysReady", "False", "SecretNotFound", "no key"),
    ["False Invalid", "False Settled", "True Invalid"],
  ],
  [
    "that is young and refused",
    young,
    finding("Accepted", "False", "DomainNotAllowed", "no"),
    ["False Invalid", "False Settled", "True Invalid"],
  ],
  [
    "whose keys are being made",
    old,
    finding("KeysReady", "Unknown", "SecretNotFound", "soon"),
    ["False Progressing", "True Progressing", "False Settled"],
  ],
  [
    "that pods have yet to load",
    old,
    finding("Programmed", "False", "WaitingForPods", "soon"),
    ["False Progressing", "True Progressing", "False Settled"],
  ],
  [
    "whose relay hibernates",
    old,
    finding("Programmed", "False", "Hibernating", "asleep"),
    ["True Hibernating", "False Settled", "False Settled"],
  ],
  [
    "whose spec cannot be read",
    undefined,
    finding("Accepted", "False", "Invalid", "no"),
    ["False Invalid", "False Settled", "True Invalid"],
  ],
];

for (const [what, world, found, said] of rows) {
  test(`of a domain ${what}: ${said.join(", ")}`, () => {
    const findings = summarizeDomain(world, [found]);
    assert.deepEqual(
      findings.map(({ type }) => type),
      ["Ready", "Reconciling", "Stalled"],
    );
    assert.deepEqual(
      findings.map(({ status, reason }) => `${status} ${reason}`),
      said,
    );
  });
}

test("what may be on its way is looked at again when it counts as missing", () => {
  assert.equal(untilArrived(young, [lacking]), arrivalMs - 2_000);
  assert.equal(untilArrived(old, [lacking]), undefined);
  assert.equal(untilArrived(young, [good]), undefined);
});
