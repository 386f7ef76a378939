/**
 * After an upgrade of the operator relays replace their pods in turns: never more than may at a time, also when another operator
 * takes over in between. What a manifest changes takes effect at once.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { templateAnnotation } from "../../api/labels.ts";
import type { RawObject } from "../../operator/kube/client/resource.ts";
import { resourceOf } from "../../operator/kube/cluster/resources.ts";
import { templateDigest } from "../../operator/mailrelay/objects/podtemplate.ts";
import type { PodTemplate } from "../../operator/kube/kinds.ts";
import { relayManifest } from "../support/controlplane/manifests.ts";
import type { OperatorProgram } from "../support/controlplane/operator.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { startPods } from "../support/controlplane/podstandin.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane();
const limit = 2;
const names = ["one", "two", "three", "four", "five", "six"];
let stage: OperatorStage;

before(
  async () => {
    if (skip === false) stage = await OperatorStage.open(import.meta.url);
  },
  { timeout: 1_800_000 },
);

after(async () => {
  if (skip === false) await stage.close();
});

interface Seen {
  /** Relays with the template of an image. */
  readonly started: readonly string[];
  /** Those of which some pods are not made from it. */
  readonly replacing: readonly string[];
}

async function look(namespace: string, marks: ReadonlyMap<string, string | undefined>): Promise<Seen> {
  const started: string[] = [];
  const replacing: string[] = [];
  for (const name of names) {
    const mark = await markOf(namespace, name);
    if (mark === marks.get(name)) continue;
    started.push(name);
    const pods = await Promise.all(
      [0, 1].map((ordinal) => stage.read("Pod", { namespace, name: `${name}-${ordinal}` })),
    );
    if (pods.some(({ metadata }) => metadata.annotations?.[templateAnnotation] !== mark)) replacing.push(name);
  }
  return { started, replacing };
}

async function markOf(namespace: string, name: string): Promise<string | undefined> {
  const { spec } = (await stage.read("StatefulSet", { namespace, name })) as RawObject & {
    readonly spec: { readonly template: PodTemplate };
  };
  return templateDigest(spec.template);
}

/** As the StatefulSet's controller would by making it anew. */
async function replacePods(namespace: string, name: string): Promise<void> {
  const annotations = { [templateAnnotation]: await markOf(namespace, name) };
  for (const ordinal of [0, 1]) {
    const body = { metadata: { annotations } };
    await stage.client.mergePatch(
      resourceOf("Pod"),
      { namespace, name: `${name}-${ordinal}` },
      { body, fieldManager: "node" },
    );
  }
}

function begin(image: string): OperatorProgram {
  // Whoever waits is looked at every second.
  return stage.operator({ relayImage: image, env: { MAX_ROLLOUTS: String(limit), RESYNC_MS: "1000" } });
}

test("six relays replace their pods two at a time", { skip }, async (context) => {
  const pods = await startPods(stage.client);
  context.after(() => pods.stop());
  const namespace = stage.makeNamespace();
  const first = begin("registry.example/mailboat:1");
  await first.leading();
  stage.apply(...names.map((name) => relayManifest({ namespace, name, spec: { replicas: 2 } })));
  const ready = { type: "Ready", status: "True", withinMs: 60_000 } as const;
  for (const name of names) await stage.untilCondition("MailRelay", { namespace, name }, ready);
  const marks = new Map<string, string | undefined>();
  for (const name of names) marks.set(name, await markOf(namespace, name));
  assert.equal(await first.stop(), 0);

  let operator = begin("registry.example/mailboat:2");
  await operator.leading();
  const replaced = new Set<string>();
  const afterNext = async (): Promise<Seen> =>
    until(
      `${replaced.size + limit} relays to have begun`,
      async () => {
        const seen = await look(namespace, marks);
        assert.ok(seen.replacing.length <= limit, `${seen.replacing.join()} at once`);
        return seen.started.length === Math.min(replaced.size + limit, names.length) ? seen : undefined;
      },
      30_000,
    );

  const { replacing } = await afterNext();
  const waiting = names.find((name) => !replacing.includes(name)) ?? "";
  await stage.untilCondition(
    "MailRelay",
    { namespace, name: waiting },
    { type: "Accepted", status: "True", reason: "RolloutPending" },
  );
  await stage.untilCondition("MailRelay", { namespace, name: waiting }, ready);

  // What its manifest changes reaches a relay's pods at once, whoever replaces theirs.
  const eager = names.find((name) => !replacing.includes(name) && name !== waiting) ?? "";
  stage.apply(relayManifest({ namespace, name: eager, spec: { replicas: 2, pod: { labels: { team: "mail" } } } }));
  await until("its template", async () => (await look(namespace, marks)).started.includes(eager), 10_000);
  await replacePods(namespace, eager);
  replaced.add(eager);

  // Another operator of the same release takes over, and knows of none of the turns.
  await operator.kill();
  operator = begin("registry.example/mailboat:2");
  await operator.leading(60_000);
  await stage.untilQuiet();
  assert.deepEqual(new Set((await look(namespace, marks)).started), new Set([...replacing, eager]));

  for (;;) {
    const seen = await afterNext();
    const [next] = seen.replacing;
    if (next === undefined) break;
    replaced.add(next);
    await replacePods(namespace, next);
  }
  assert.equal(replaced.size, names.length);
  for (const name of names) {
    await stage.untilCondition(
      "MailRelay",
      { namespace, name },
      { type: "Accepted", status: "True", reason: "Accepted" },
    );
  }
  assert.equal(await operator.stop(), 0);
});
