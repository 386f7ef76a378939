import assert from "node:assert/strict";
import { test } from "node:test";
import { relayOf } from "../test/support/operatorobjects.ts";
import type { Pod } from "../operator/kube/objects.ts";
import type { NextHopAddress } from "../operator/installation/installation.ts";
import { rewriteBook, relayAddresses } from "./addressbook.ts";

function pod(index: number, ready: boolean, ports: Readonly<Record<string, number>>): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `outbound-${index}`, namespace: "mail", labels: { "mailboat.dev/relay": "outbound" } },
    status: {
      podIP: "127.0.0.1",
      ready,
      phase: "Running",
      ports: Object.entries(ports).map(([name, containerPort]) => ({ name, containerPort })),
    },
  };
}

const relay = relayOf({
  listeners: [
    { name: "submission", port: 587 },
    { name: "smtp", port: 25 },
  ],
});
const books: readonly (readonly [name: string, pods: readonly Pod[], book: Readonly<Record<string, number>>])[] = [
  ["no pod", [], {}],
  [
    "a pod that starts",
    [pod(0, false, { submission: 41000, smtp: 41001, http: 41002 })],
    {
      "outbound.mail.svc:587": 41000,
      "outbound.mail.svc.cluster.local:587": 41000,
      "outbound.mail.svc:25": 41001,
      "outbound.mail.svc.cluster.local:25": 41001,
    },
  ],
  [
    "two pods, the second ready",
    [pod(0, false, { submission: 41000 }), pod(1, true, { submission: 42000 })],
    { "outbound.mail.svc:587": 42000, "outbound.mail.svc.cluster.local:587": 42000 },
  ],
  ["another relay's pod", [{ ...pod(0, true, { submission: 1 }), metadata: { name: "x", namespace: "mail" } }], {}],
];
for (const [name, pods, book] of books) {
  test(`with ${name} the Service leads to ${Object.keys(book).length} addresses`, () => {
    const addresses = relayAddresses([relay], pods);
    assert.deepEqual(Object.fromEntries([...addresses].map(([key, { port }]) => [key, port])), book);
    assert.ok([...addresses.values()].every(({ host }) => host === "127.0.0.1"));
  });
}

test("a book is rewritten in place, and says whether that changed it", () => {
  const book = new Map<string, NextHopAddress>([["a", { host: "h", port: 1 }]]);
  assert.equal(rewriteBook(book, new Map([["a", { host: "h", port: 1 }]])), false);
  assert.equal(rewriteBook(book, new Map([["b", { host: "h", port: 1 }]])), true);
  assert.deepEqual([...book.keys()], ["b"]);
});
