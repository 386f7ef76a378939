import assert from "node:assert/strict";
import { test } from "node:test";
import { makeCertificateAuthority } from "../../trust/issue.ts";
import type { RelayWorld } from "../world.ts";
import { now, relayOf, relayWorld, secretOf } from "../../../test/support/operatorobjects.ts";
import { readRelayDocument } from "../document.ts";
import { readReferences } from "../../references/readings.ts";
import { relayReferences } from "../references.ts";
import { tracingDocument } from "./tracing.ts";
import { planRelay } from "../../../test/support/plans.ts";

const tracing = { endpoint: "https://collector:4318", headersRef: { name: "headers" }, caRef: { name: "authority" } };

function worldWith(spec: object, secrets: Readonly<Record<string, Readonly<Record<string, string>>>>): RelayWorld {
  const entries = Object.entries(secrets).map(([name, values]) => [name, secretOf({ name, values })] as const);
  return relayWorld({ relay: relayOf({ tracing: spec }), secrets: new Map(entries) });
}

function readTracing(world: RelayWorld) {
  const readings = readReferences(relayReferences(world.relay), world);
  return { document: tracingDocument(world, readings), problems: readings.problems };
}

test("tracing inlines headers and authority, and says nothing without spec.tracing", async () => {
  const { certificate } = await makeCertificateAuthority(now);
  const spec = {
    ...tracing,
    samplingRatio: "0.25",
    trustedNextHops: ["hub.example.net", "capture.mailboat.localhost"],
  };
  const secrets = {
    headers: { authorization: "Bearer t0ken\n", "x-tenant": "mail" },
    authority: { "ca.crt": certificate },
  };
  assert.deepEqual(readTracing(worldWith(spec, secrets)), {
    document: {
      endpoint: "https://collector:4318",
      samplingRatio: 0.25,
      headers: { authorization: "Bearer t0ken", "x-tenant": "mail" },
      ca: certificate,
      trustedNextHops: [
        { host: "hub.example.net" },
        { host: "capture.mailboat.localhost" },
        { host: "127.0.0.1", port: 2599 },
      ],
    },
    problems: [],
  });
  assert.deepEqual(readTracing(relayWorld()), { document: undefined, problems: [] });
});

test("without an endpoint there is still who may see the trace fields", () => {
  const { document } = readTracing(worldWith({ trustedNextHops: ["hub.example.net"] }, {}));
  assert.deepEqual(document, { samplingRatio: 1, headers: {}, trustedNextHops: [{ host: "hub.example.net" }] });
});

const good = { headers: { authorization: "Bearer t0ken" } };
const faults: readonly [
  what: string,
  spec: object,
  secrets: Readonly<Record<string, Readonly<Record<string, string>>>>,
  message: RegExp,
][] = [
  ["no Secret of headers", { headersRef: { name: "headers" } }, {}, /headersRef: Secret headers does not exist/],
  ["a name with a blank", { headersRef: { name: "headers" } }, { headers: { "a b": "x" } }, /data key a b: is no name/],
  ["one of ours", { headersRef: { name: "headers" } }, { headers: { Host: "x" } }, /data key Host: .* remove the key/],
  ["two lines", { headersRef: { name: "headers" } }, { headers: { a: "s3cret\nx" } }, /data key a: .* one line/],
  ["empty", { headersRef: { name: "headers" } }, { headers: { a: "" } }, /data key a: .* one line/],
  ["no Secret of the authority", { caRef: { name: "authority" } }, {}, /caRef: Secret authority does not exist/],
  ["no ca.crt", { caRef: { name: "authority" } }, { authority: { ca: "x" } }, /lacks the data key ca.crt/],
  ["no certificate", { caRef: { name: "authority" } }, { authority: { "ca.crt": "x" } }, /no certificate in ca.crt/],
];

test("a Secret in trouble is named with its field, never a value", () => {
  for (const [what, spec, secrets, message] of faults) {
    const world = worldWith({ endpoint: "http://c:4318", ...spec }, secrets);
    const { problems } = readTracing(world);
    const configuration = planRelay(world).apply.find(({ metadata }) => metadata.name === "outbound-configuration");
    const document = configuration?.kind === "Secret" ? readRelayDocument(configuration) : undefined;
    assert.deepEqual([document?.hostname, document?.tracing], ["relay.example.com", undefined], what);
    assert.match(problems.map((problem) => problem.message).join("; "), message, what);
    assert.doesNotMatch(JSON.stringify(problems), /s3cret/, what);
  }
});

test("a Secret that may not be read says how to allow it", () => {
  const world = { ...worldWith({ ...tracing, caRef: undefined }, good), forbidden: new Set(["headers"]) };
  const [problem] = readTracing(world).problems;
  assert.equal(problem?.kind, "forbidden");
  assert.match(problem.message, /kubectl create rolebinding/);
});

test("planRelay() traces as before while a Secret is in trouble, says so, and lets the rest take effect", () => {
  const spec = { ...tracing, caRef: undefined };
  const before = worldWith(spec, good);
  const configurationOf = (world: RelayWorld) => {
    const secret = planRelay(world).apply.find(({ metadata }) => metadata.name === "outbound-configuration");
    return secret?.kind === "Secret" ? secret : undefined;
  };
  const configuration = configurationOf(before);
  assert.ok(configuration !== undefined);
  const after = {
    ...relayWorld({
      relay: relayOf({ hostname: "new.example.com", tracing: { ...spec, endpoint: "http://new:4318" } }),
    }),
    configuration,
  };
  const document = readRelayDocument(configurationOf(after));
  assert.equal(document?.hostname, "new.example.com");
  assert.equal(document.tracing?.endpoint, "https://collector:4318");
  const resolved = planRelay(after).status.conditions?.find(({ type }) => type === "ResolvedRefs");
  assert.equal(resolved?.reason, "SecretNotFound");
  const unmounted = readRelayDocument(configurationOf({ ...after, configuration: undefined }));
  assert.ok(unmounted !== undefined);
  assert.equal(unmounted.tracing, undefined);
});
