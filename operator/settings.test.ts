import assert from "node:assert/strict";
import { test } from "node:test";
import { readCommand } from "./settings.ts";

test("readCommand() shows its usage on demand", () => {
  assert.deepEqual(readCommand(["--help"], {}), { verb: "help" });
});

test("readCommand() of release knows whose lease and which namespaces, and no image", () => {
  const command = readCommand(["release"], { WATCH_NAMESPACES: "mail,shop", POD_NAMESPACE: "system", POD_NAME: "p" });
  assert.deepEqual(command, {
    verb: "release",
    settings: {
      kubeconfig: undefined,
      context: undefined,
      namespaces: ["mail", "shop"],
      namespace: "system",
      className: "mailboat",
      leaseName: "mailboat-operator",
      leaseTimes: { durationMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 },
      identity: "p",
      logLevel: "info",
      patienceMs: 30_000,
    },
  });
  assert.throws(() => readCommand(["release", "--relay-image", "i"], {}), /--relay-image is no flag of `release`/);
});

const collector = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" };
const usual = { endpoint: "http://collector:4318", samplingRatio: 1, headers: {}, protocol: "http/protobuf" };

const tracing: readonly (readonly [
  string,
  readonly string[],
  Readonly<Record<string, string>>,
  Readonly<Record<string, unknown>> | undefined,
])[] = [
  ["nothing said", [], {}, undefined],
  ["a ratio and no endpoint", ["--trace-sampling-ratio", "1"], {}, undefined],
  ["an empty endpoint", [], { OTEL_EXPORTER_OTLP_ENDPOINT: "" }, undefined],
  ["an endpoint", [], collector, usual],
  ["a flag before the variable", ["--otlp-endpoint", "https://o:1"], collector, { ...usual, endpoint: "https://o:1" }],
  ["the SDK switched off", [], { ...collector, OTEL_SDK_DISABLED: "true" }, undefined],
  ["no exporter", [], { ...collector, OTEL_TRACES_EXPORTER: "none" }, undefined],
  ["a ratio", [], { ...collector, OTEL_TRACES_SAMPLER_ARG: "0.25" }, { ...usual, samplingRatio: 0.25 }],
  [
    "a sampler that is none",
    [],
    { ...collector, OTEL_TRACES_SAMPLER: "parentbased_always_off" },
    { ...usual, samplingRatio: 0 },
  ],
  [
    "a sampler that takes all, whatever its argument",
    [],
    { ...collector, OTEL_TRACES_SAMPLER: "always_on", OTEL_TRACES_SAMPLER_ARG: "0.1" },
    usual,
  ],
  [
    "headers",
    [],
    { ...collector, OTEL_EXPORTER_OTLP_HEADERS: "Authorization=Bearer%20a%3Db, x-scope = mail ,y=a=b," },
    { ...usual, headers: { authorization: "Bearer a=b", "x-scope": "mail", y: "a=b" } },
  ],
  ["a CA", [], { ...collector, OTEL_EXPORTER_OTLP_CERTIFICATE: "/ca.crt" }, { ...usual, caFile: "/ca.crt" }],
];

for (const [what, args, environment, expected] of tracing) {
  test(`readCommand() of run and tracing: ${what}`, () => {
    const command = readCommand(["run", "--relay-image", "i", ...args], environment);
    assert.ok(command.verb === "run");
    const found = command.settings.tracing;
    assert.deepEqual(found === undefined ? undefined : JSON.parse(JSON.stringify(found)), expected);
  });
}

const tracingRefusals: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
  ["no URL", { OTEL_EXPORTER_OTLP_ENDPOINT: "collector" }, /tracing\.endpoint: must be the base URL/],
  ["a URL of another scheme", { OTEL_EXPORTER_OTLP_ENDPOINT: "grpc://c:4317" }, /tracing\.endpoint: must be/],
  ["a ratio above 1", { OTEL_TRACES_SAMPLER_ARG: "1.5" }, /tracing\.samplingRatio: must be a share from 0 to 1/],
  ["a ratio that is no number", { OTEL_TRACES_SAMPLER_ARG: "half" }, /tracing\.samplingRatio: must be a share/],
  ["gRPC", { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }, /tracing\.protocol: must be http\/protobuf/],
  ["a header without value", { OTEL_EXPORTER_OTLP_HEADERS: "a=b,s3cret" }, /OTEL_EXPORTER_OTLP_HEADERS: part 2/],
  ["a header that is two", { OTEL_EXPORTER_OTLP_HEADERS: "a=s3cret%0d%0aBcc:x" }, /OTEL_EXPORTER_OTLP_HEADERS: part 1/],
];

for (const [what, environment, message] of tracingRefusals) {
  test(`readCommand() of run refuses for tracing ${what}, and repeats no secret`, () => {
    const read = (): unknown => readCommand(["run", "--relay-image", "i"], { ...collector, ...environment });
    assert.throws(read, { name: "UsageError", message });
    assert.throws(read, (error) => error instanceof Error && !error.message.includes("s3cret"));
  });
}

test("readCommand() of convert takes files and no flags", () => {
  assert.deepEqual(readCommand(["convert", "a.yaml", "-"], {}), { verb: "convert", files: ["a.yaml", "-"] });
  assert.throws(() => readCommand(["convert"], {}), /name the files with manifests/);
  assert.throws(() => readCommand(["convert", "a.yaml", "--workers", "2"], {}), /--workers is no flag of `convert`/);
});

test("readCommand() of run takes the role that lets the operator at Secrets", () => {
  const roleOf = (...flags: readonly string[]): unknown => {
    const command = readCommand(["run", "--relay-image", "i", ...flags], {});
    return command.verb === "run" ? command.settings.secretsRole : undefined;
  };
  assert.deepEqual(roleOf(), { kind: "ClusterRole", name: "mailboat-secrets" });
  assert.deepEqual(roleOf("--secrets-role", "Role/mine"), { kind: "Role", name: "mine" });
  assert.throws(() => roleOf("--secrets-role", "mine"), /secretsRole: must be ClusterRole\/NAME or Role\/NAME/);
});

const refusals: readonly (readonly [string, readonly string[], RegExp])[] = [
  ["no verb", [], /which verb\? `run` or `release`/],
  ["an unknown verb", ["cluster"], /unknown verb cluster/],
  ["an unknown flag", ["run", "--manifest", "x"], /Unknown option '--manifest'.*--help/s],
  ["a flag without its value", ["run", "--relay-image"], /--relay-image/],
  ["a stray word", ["run", "dir"], /unexpected dir/],
  ["no image", ["run"], /relayImage: name the image of relay pods with --relay-image or RELAY_IMAGE/],
  [
    "a lease that ends before its leader stops",
    ["run", "--relay-image", "i", "--renew-deadline", "15s"],
    /leaseTimes\.renewDeadlineMs: --renew-deadline must be shorter than --lease-duration/,
  ],
  [
    "a lease that leaves a write a second",
    ["run", "--relay-image", "i", "--renew-deadline", "14s"],
    /leaseTimes\.renewDeadlineMs: --renew-deadline must be shorter than --lease-duration by 3s or more/,
  ],
  [
    "a renewal that could not be tried twice",
    ["release", "--retry-period", "6s"],
    /--retry-period must be 100ms or more, and half of --renew-deadline or less/,
  ],
  [
    "a lease in parts of seconds",
    ["run", "--relay-image", "i", "--lease-duration", "15500ms"],
    /--lease-duration must be whole seconds from 5s to 1h/,
  ],
  [
    "a lease time without its unit",
    ["release", "--lease-duration", "15"],
    /durationMs: must be a time, for example 15s/,
  ],
  ["no rollouts at all", ["run", "--relay-image", "i", "--max-rollouts", "0"], /maxRollouts: /],
  ["a host that is no address", ["run", "--relay-image", "i", "--host", "here"], /listenHost: must be an IP address/],
];

for (const [name, args, message] of refusals) {
  test(`readCommand() refuses ${name} and says what to do`, () => {
    assert.throws(() => readCommand(args, {}), { name: "UsageError", message });
  });
}

test("which relays are served is told by flag and environment, and release knows it too", () => {
  const classOf = (args: readonly string[], environment = {}) => {
    const command = readCommand(args, environment);
    assert.ok(command.verb === "run" || command.verb === "release");
    return command.settings.className;
  };
  const run = ["run", "--relay-image", "i"];
  assert.equal(classOf(run), "mailboat");
  assert.equal(classOf([...run, "--class-name", "outside"], { CLASS_NAME: "inside" }), "outside");
  assert.equal(classOf(["release"], { CLASS_NAME: "inside" }), "inside");
  assert.throws(() => classOf([...run, "--class-name", "No Name"]), /className: must be lower-case/);
});

test("run: how relay pods get their image, and how names of Services end", () => {
  const read = (args: readonly string[], environment = {}) => {
    const command = readCommand(["run", "--relay-image", "i", ...args], environment);
    assert.ok(command.verb === "run");
    const { relayImagePullPolicy, relayImagePullSecrets, clusterDomain } = command.settings;
    return [relayImagePullPolicy, relayImagePullSecrets, clusterDomain];
  };
  assert.deepEqual(read([]), [undefined, [], "cluster.local"]);
  const flags = [
    "--relay-image-pull-policy",
    "Always",
    "--relay-image-pull-secrets",
    "a,b",
    "--cluster-domain",
    "k8s.example",
  ];
  assert.deepEqual(read(flags), ["Always", ["a", "b"], "k8s.example"]);
  const environment = {
    RELAY_IMAGE_PULL_POLICY: "Never",
    RELAY_IMAGE_PULL_SECRETS: "a",
    CLUSTER_DOMAIN: "corp.internal",
  };
  assert.deepEqual(read([], environment), ["Never", ["a"], "corp.internal"]);
  assert.throws(() => read(["--relay-image-pull-policy", "Sometimes"]), /relayImagePullPolicy: must be Always/);
  assert.throws(() => read(["--cluster-domain", "Cluster.Local."]), /clusterDomain: must be lower-case/);
});
