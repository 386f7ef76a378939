/**
 * Every example as a person applies it, with plain `kubectl apply` against a real API server: the valid ones are taken, the
 * invalid ones refused with the field they name and, where the rule is ours, with the words they name. And for manifests
 * that nobody wrote: what the schema in api/ refuses the server refuses, and what it takes the server takes.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { type Fault, readManifest } from "../../api/manifest.ts";
import { resourceOf } from "../../operator/kube/cluster/resources.ts";
import type { RawObject } from "../../operator/kube/client/resource.ts";
import { openDryRun } from "../support/controlplane/dryrun.ts";
import { generatedManifest } from "../support/controlplane/generatedmanifest.ts";
import { domainManifest, relayManifest } from "../support/controlplane/manifests.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { repositoryRoot } from "../support/results.ts";

const skip = lackingControlPlane();
const examples = join(repositoryRoot, "examples");
let stage: OperatorStage;

before(
  async () => {
    if (skip !== false) return;
    stage = await OperatorStage.open(import.meta.url);
    for (const name of ["mail", "shop", "inner", "outer"]) stage.plane.kubectl(["create", "namespace", name]);
  },
  { timeout: 1_800_000 },
);

after(async () => {
  if (skip === false) await stage.close();
});

test("each definition is small enough for plain kubectl apply", { skip }, () => {
  for (const name of ["mailrelays", "senderdomains"]) {
    assert.ok(readFileSync(join(repositoryRoot, `crds/${name}.yaml`)).length < 256 * 1024);
  }
});

for (const folder of ["valid", "local", "cluster", "two-hops"]) {
  for (const file of readdirSync(join(examples, folder)).filter((name) => name.endsWith(".yaml"))) {
    test(`kubectl apply takes examples/${folder}/${file}, and the second time changes nothing`, { skip }, () => {
      const path = join(examples, folder, file);
      const versions = (): string =>
        stage.plane.kubectl(["get", "-f", path, "-o", "jsonpath={..metadata.resourceVersion}"]);
      stage.plane.kubectl(["apply", "-f", path]);
      const first = versions();
      const said = stage.plane.kubectl(["apply", "-f", path]).trimEnd().split("\n");
      assert.deepEqual(
        // What kubectl says of a Secret with stringData is always "configured": the field is for writing alone.
        said.filter((line) => !line.endsWith(" unchanged") && !line.startsWith("secret/")),
        [],
      );
      assert.equal(versions(), first);
    });
  }
}

/** The server's own words for what a type alone says: it checks those before any rule of ours. */
const serverWords: readonly (readonly [RegExp, RegExp])[] = [
  [/^is required/, /Required value/],
  [/^must be one of /, /Unsupported value: .*supported values/],
  [/^must be at least \d/, /should be greater than or equal to/],
  [/^must be at most \d+, /, /should be less than or equal to/],
  [/^must (?:have|name) at least (?:one|1 entry)/, /should have at least 1 items/],
  [/^is (?:already used|there twice)/, /Duplicate value/],
  [/^is no field/, /unknown field/],
  [/^must be (?:a whole number|true or false|true, or|text|an object|a duration)/, /must be of type|Unsupported value/],
  [/^must be (?:MailRelay|mailboat\.dev)/, /no matches for kind/],
  [/^must be an object's name/, /lowercase RFC 1123 subdomain/],
  // In lists of lists a rule would cost more than the server allows.
  [/^must be a domain such as example\.com, or/, /should match/],
  [/^must be in lower case: write (?:gmail\.com|\*\.example\.net)/, /should match/],
];

test("kubectl apply refuses every invalid example with the field and the words it names", { skip }, () => {
  const refusals = refusalsOf(join(examples, "invalid"));
  const wrong = readdirSync(join(examples, "invalid")).flatMap((file) => {
    const promise = promiseOf(readFileSync(join(examples, "invalid", file), "utf8"));
    const said = refusals.find((text) => text.includes(`/${file}"`));
    if (said === undefined) return [`${file}: was taken`];
    return isAbout(said, promise) ? [] : [`${file}: ${said}`];
  });
  assert.deepEqual(wrong, []);
});

/** What kubectl said, by object. It goes on after each refusal. */
function refusalsOf(folder: string): readonly string[] {
  try {
    stage.plane.kubectl(["apply", "--dry-run=server", "-f", folder]);
    return [];
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? String(error.stderr) : String(error);
    return said.split(/^(?=Error from server)|(?=resource mapping not found)/m);
  }
}

function promiseOf(text: string): Fault {
  const [, path = "", message = ""] = /^# field: (.+)\n# message: (.+)\n/.exec(text) ?? [];
  return { path, message };
}

function isAbout(said: string, { path, message }: Fault): boolean {
  const words = [message, ...serverWords.filter(([ours]) => ours.test(message)).map(([, theirs]) => theirs)];
  return spellings(path).some((one) => said.includes(one)) && words.some((one) => isIn(said, one));
}

function isIn(said: string, words: string | RegExp): boolean {
  return typeof words === "string" ? said.includes(words) : words.test(said);
}

/** Keys of maps stand in brackets there; of two entries with one name the entry is blamed, of metadata the whole object. */
function spellings(path: string): readonly string[] {
  const parent = path.replace(/\.[^.]+$/, "");
  const isKindless = !path.includes(".");
  return [path, `${parent}[${path.slice(parent.length + 1)}]`, `${parent}: Duplicate`]
    .concat(path === "metadata.name" ? ["<nil>: Invalid value"] : [])
    .concat(isKindless ? ["no matches for kind"] : []);
}

interface Change {
  readonly what: string;
  readonly from: RawObject;
  /** Of the spec. */
  readonly to: object;
  /** The server's answer, where it refuses. */
  readonly refusal?: RegExp;
}

const relay = (spec: object): RawObject => relayManifest({ namespace: "mail", name: "changed", spec });
const domain = domainManifest({ namespace: "mail", name: "changed" });
const storage = (size: string | number): object => ({ spool: { storage: { size } } });
const smaller = /spec\.spool\.storage\.size: Invalid value: .*may only grow/;
const service = (spec: object): object => ({ service: { type: "LoadBalancer", ...spec } });

/** Only a server knows what was there before. */
const changes: readonly Change[] = [
  { what: "a volume made smaller", from: relay(storage("20Gi")), to: storage("19Gi"), refusal: smaller },
  {
    what: "a volume made smaller, in bytes",
    from: relay(storage("20Gi")),
    to: storage(1_000_000_000),
    refusal: smaller,
  },
  { what: "a volume of the default size made smaller", from: relay({}), to: storage("1Gi"), refusal: smaller },
  {
    what: "a volume made smaller by leaving its size out",
    from: relay(storage("20Gi")),
    to: { spool: null },
    refusal: smaller,
  },
  { what: "a volume of the default size made larger", from: relay({}), to: storage("11Gi") },
  { what: "a volume's size spelled otherwise", from: relay(storage("1Gi")), to: storage("1024Mi") },
  {
    what: "a load balancer of another class",
    from: relay(service({ loadBalancerClass: "example.com/a" })),
    to: service({ loadBalancerClass: "example.com/b" }),
    refusal: /spec\.service: Invalid value: .*loadBalancerClass cannot change/,
  },
  {
    what: "a load balancer that gets a class",
    from: relay(service({})),
    to: service({ loadBalancerClass: "example.com/a" }),
    refusal: /spec\.service: Invalid value: .*loadBalancerClass/,
  },
  { what: "another domain", from: domain, to: { domain: "other.example" }, refusal: /spec\.domain: .*cannot change/ },
  { what: "another relay", from: domain, to: { relayRef: { name: "inbound" } } },
];

for (const { what, from, to, refusal } of changes) {
  test(`${what} is ${refusal === undefined ? "taken" : "refused"}`, { skip }, async () => {
    const resource = resourceOf(from.kind === "MailRelay" ? "MailRelay" : "SenderDomain");
    await stage.client.create(resource, from, "kubectl");
    try {
      const patched = stage.client.mergePatch(resource, from.metadata, { body: { spec: to }, fieldManager: "kubectl" });
      if (refusal === undefined) await patched;
      else await assert.rejects(patched, refusal);
    } finally {
      await stage.client.delete(resource, from.metadata, {});
    }
  });
}

test("the schema and the server agree on manifests that nobody wrote", { skip, timeout: 180_000 }, async () => {
  const judge = openDryRun(stage.plane);
  let [taken, refused] = [0, 0];
  await fc.assert(
    fc.asyncProperty(generatedManifest(stage.operatorNamespace), async (manifest) => {
      const reading = readManifest(manifest);
      const verdict = await judge(
        resourceOf(manifest.kind === "SenderDomain" ? "SenderDomain" : "MailRelay"),
        manifest,
      );
      if (verdict === undefined) taken += 1;
      else refused += 1;
      const faults = reading.kind === "invalid" ? reading.errors : [];
      assert.equal(
        verdict === undefined,
        faults.length === 0,
        `${JSON.stringify(manifest)}\nserver: ${verdict}\nschema: ${JSON.stringify(faults)}`,
      );
    }),
    { numRuns: 3000 },
  );
  // A property over manifests of one kind alone would show little.
  assert.ok(taken > 300 && refused > 300, `${taken} taken, ${refused} refused`);
});
