/** What is there already under a name of ours: whether it is taken, and what is said where it is not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { digestAnnotation, managedByLabel } from "../../../api/labels.ts";
import type { RawMetadata } from "../client/resource.ts";
import { type Reference, RejectedError } from "../kube.ts";
import { refuseForeign } from "./foreign.ts";

const outbound: Reference = { kind: "MailRelay", namespace: "mail", name: "outbound" };
const ofRelay = (name: string) => ({
  ownerReferences: [{ apiVersion: "mailboat.dev/v1alpha1", kind: "MailRelay", name }],
});
const labelled = { labels: { [managedByLabel]: "mailboat-operator" } };
const foreign = "Secret mail/outbound-certificate is there and was not made by Mailboat";

type Row = readonly [
  what: string,
  metadata: Partial<RawMetadata>,
  maker: Reference | undefined,
  said: string | undefined,
];

const rows: readonly Row[] = [
  ["one with our label", labelled, outbound, undefined],
  ["one with our digest, for no resource", { annotations: { [digestAnnotation]: "abc" } }, undefined, undefined],
  ["one that the relay owns", ofRelay("outbound"), outbound, undefined],
  [
    "one that another relay owns, though it has our label",
    { ...labelled, ...ofRelay("other") },
    outbound,
    "Secret mail/outbound-certificate belongs to MailRelay other: give the resource another name",
  ],
  [
    "one that a relay owns, for no resource",
    ofRelay("other"),
    undefined,
    "Secret mail/outbound-certificate belongs to MailRelay other: give the resource another name",
  ],
  ["somebody's", {}, outbound, `${foreign}: delete it, or give the resource another name`],
  [
    "one with the label of another program",
    { labels: { [managedByLabel]: "Helm" } },
    outbound,
    `${foreign}: delete it, or give the resource another name`,
  ],
  [
    "somebody's, for no resource",
    {},
    undefined,
    `${foreign}: whoever put it there renews it; where it is deleted, the operator makes its own`,
  ],
];

for (const [what, metadata, maker, said] of rows) {
  test(`${what} is ${said === undefined ? "taken" : `refused: ${said}`}`, () => {
    const actual = { apiVersion: "v1", kind: "Secret", metadata: { name: "outbound-certificate", ...metadata } };
    const judge = (): void => {
      refuseForeign({ kind: "Secret", namespace: "mail", name: "outbound-certificate" }, actual, maker);
    };
    if (said === undefined) return judge();
    assert.throws(judge, (error) => {
      assert.ok(error instanceof RejectedError);
      assert.deepEqual([error.message, error.refusedFor], [said, "name"]);
      return true;
    });
  });
}
