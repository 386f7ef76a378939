/** What is kept of objects: ConfigMaps as those who read authorities see them, and of a StatefulSet no more than is asked for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RawObject } from "../client/resource.ts";
import { Sharing } from "../cache/share.ts";
import { newsOf } from "./news.ts";
import { Contents } from "./secrets/contents.ts";
import { configMapView, keptConfigMap, viewOf } from "./views.ts";

test("a ConfigMap has its text and its binary data in base64, and is the same when it was remembered", () => {
  const metadata = { namespace: "mail", name: "bundle", resourceVersion: "7", labels: { a: "b" } };
  const raw: RawObject = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { ...metadata, managedFields: [] },
    immutable: true,
    data: { "ca.crt": "Straße" },
    binaryData: { "trust.p12": "AAH/" },
  };
  const data = { "ca.crt": Buffer.from("Straße").toString("base64"), "trust.p12": "AAH/" };
  const seen = configMapView(raw);
  assert.deepEqual(seen, { apiVersion: "v1", kind: "ConfigMap", metadata, data });
  const contents = new Contents({ usedBytes: 10_000, releasedBytes: 0 });
  contents.keep({ ...raw, data: seen.data });
  const kept = contents.get({ metadata });
  assert.ok(kept !== undefined);
  assert.deepEqual(keptConfigMap(kept), seen);
});

test("of a StatefulSet's status its revisions are kept; pods that come and go are no news", () => {
  const view = viewOf("StatefulSet", (raw) => raw, new Sharing());
  const seen = (status: object): RawObject => {
    const metadata = { namespace: "mail", name: "outbound", generation: 2 };
    const found = view(
      { apiVersion: "apps/v1", kind: "StatefulSet", metadata, spec: { replicas: 1 }, status },
      undefined,
    );
    return found ?? assert.fail("it is not kept");
  };
  const revisions = { observedGeneration: 2, currentRevision: "outbound-1", updateRevision: "outbound-2" };
  const before = seen({ ...revisions, readyReplicas: 1 });
  assert.deepEqual(before["status"], revisions);
  assert.equal(newsOf("StatefulSet", { before, after: seen({ ...revisions, readyReplicas: 0 }) }), undefined);
  const ended = seen({ ...revisions, currentRevision: "outbound-2" });
  assert.equal(newsOf("StatefulSet", { before, after: ended }), "written");
  assert.deepEqual(seen({})["status"], {});
});
