import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { relayOf, relayWorld } from "../../test/support/operatorobjects.ts";
import { type Contest, lostContests, madeFor, rivalriesOf } from "./rivals.ts";
import { allShards } from "./shards.ts";
import { renderShard } from "./shards.ts";
import { planRelay } from "../../test/support/plans.ts";

const spelled = ({ kind, name }: { readonly kind: string; readonly name: string }): string => `${kind}/${name}`;

/** Names that end like those of made objects more often than chance would have it. */
const relayName = fc
  .array(
    fc.constantFrom("a", "pods", "configuration", "certificate", "peer", "issued", "domains", "00", "31", "domains-00"),
    { minLength: 1, maxLength: 4 },
  )
  .map((parts) => parts.join("-"));

test("rivals are exactly those relays that would have an object of the same kind and name", () => {
  fc.assert(
    fc.property(relayName, relayName, (left, right) => {
      const own = new Set(madeFor(left).map(spelled));
      const shared =
        left === right
          ? []
          : madeFor(right)
              .map(spelled)
              .filter((one) => own.has(one));
      const found = rivalriesOf(left)
        .filter(({ rival }) => rival === right)
        .map(spelled);
      assert.deepEqual(new Set(found), new Set(shared));
    }),
    { numRuns: 2_000 },
  );
});

test("a headless Service is what another relay's client Service would be", () => {
  assert.deepEqual(rivalriesOf("outbound"), [{ kind: "Service", name: "outbound-pods", rival: "outbound-pods" }]);
  assert.deepEqual(
    rivalriesOf("outbound-pods").map(({ name, rival }) => [name, rival]),
    [
      ["outbound-pods", "outbound"],
      ["outbound-pods-pods", "outbound-pods-pods"],
    ],
  );
});

test("everything that a plan applies is among the names that are looked at", () => {
  const relay = relayOf({ tls: { certManager: { issuerRef: { name: "letsencrypt" } } } });
  const { apply } = planRelay(relayWorld({ relay, kinds: new Set(["Certificate", "PodMonitor"]) }));
  const objects = [...apply, ...allShards().map((shard) => renderShard(relay, shard))];
  const known = new Set(madeFor("outbound").map(spelled));
  assert.ok(objects.length > 35);
  for (const { kind, metadata } of objects) assert.ok(known.has(spelled({ kind, name: metadata.name })), kind);
  const kinds = new Set(objects.map(({ kind }) => kind));
  for (const kind of ["Service", "ServiceAccount", "PodMonitor", "Certificate", "Secret"] as const) {
    assert.ok(kinds.has(kind), kind);
  }
});

const rivalry = { kind: "Service", name: "outbound-pods", rival: "outbound" } as const;
const rows: readonly (readonly [string, Omit<Contest, keyof typeof rivalry>, boolean])[] = [
  ["nobody has it yet and the other is older", { owner: undefined, isRivalOlder: true }, true],
  ["nobody has it yet and the other is younger", { owner: undefined, isRivalOlder: false }, false],
  ["the other has it", { owner: "outbound", isRivalOlder: false }, true],
  ["this one has it", { owner: "outbound-pods", isRivalOlder: true }, false],
  ["a third has it, and the other is older", { owner: "else", isRivalOlder: true }, true],
];
for (const [what, facts, isLost] of rows) {
  test(`lostContests(): ${what}`, () => {
    assert.equal(lostContests("outbound-pods", [{ ...rivalry, ...facts }]).length, isLost ? 1 : 0);
  });
}

const lost: Contest = { ...rivalry, owner: "outbound", isRivalOlder: true };
const second = relayOf();
const named = { ...second, metadata: { ...second.metadata, name: "outbound-pods" } };

test("a relay whose name another one uses makes nothing, and says which one", () => {
  const plan = planRelay(relayWorld({ relay: named, contests: [lost] }));
  assert.deepEqual([plan.apply, plan.finalizer, plan.issuesPeer, plan.issueFor], [[], undefined, false, undefined]);
  const said = (type: string) => plan.status.conditions?.find((one) => one.type === type);
  assert.deepEqual(
    [said("Accepted")?.status, said("Ready")?.status, said("Stalled")?.status],
    ["False", "False", "True"],
  );
  assert.match(said("Accepted")?.message ?? "", /^metadata\.name: Service outbound-pods belongs to MailRelay outbound/);
});

test("deleted, it goes although another one uses its name", () => {
  const metadata = { ...named.metadata, deletionTimestamp: "2026-11-23T12:00:00Z", finalizers: ["mailboat.dev/drain"] };
  const plan = planRelay(relayWorld({ relay: { ...named, metadata }, contests: [lost] }));
  assert.equal(plan.finalizer, "takeOff");
});
