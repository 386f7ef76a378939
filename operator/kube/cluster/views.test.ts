/** ConfigMaps, fetched and remembered, as those who read authorities see them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RawObject } from "../client/resource.ts";
import { Contents } from "./secrets/contents.ts";
import { configMapView, keptConfigMap } from "./views.ts";

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
