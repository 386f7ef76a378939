/** How plans are carried out: in their order, what is refused told at once, and nothing written over of which a look did not know. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { LocalKube } from "../../local/kube.ts";
import { domainOf, now, installation, podOf, relayOf, secretOf } from "../../test/support/operatorobjects.ts";
import { createCredentialSource } from "../credentials/source.ts";
import { createIssuerSource } from "../issuers/source.ts";
import {
  ForbiddenError,
  type Kube,
  type KubeEvent,
  type ListOptions,
  type Reference,
  RejectedError,
} from "../kube/kube.ts";
import type { AppliedObject, Kind, KindMap, Secret } from "../kube/objects.ts";
import type { RelaySources } from "../mailrelay/gather.ts";
import { reconcileRelay } from "../mailrelay/reconcile.ts";
import { reconcileDomain } from "../senderdomain/reconcile.ts";
import type { Action, Plan } from "./actions.ts";
import { carryOut, type Outcome } from "./carryout.ts";
import type { Rejection } from "./rejection.ts";
import { RelayMemory } from "./memory.ts";

class LaggingKube extends LocalKube {
  /** Secrets are not seen until a write of one has failed. */
  isBehind = false;

  override async get<K extends Kind>(kind: K, namespace: string, name: string): Promise<KindMap[K] | undefined> {
    return kind === "Secret" && this.isBehind ? undefined : super.get(kind, namespace, name);
  }

  override async list<K extends Kind>(kind: K, options: ListOptions = {}): Promise<readonly KindMap[K][]> {
    return kind === "Secret" && this.isBehind ? [] : super.list(kind, options);
  }

  override async createSecret(secret: Secret): Promise<boolean> {
    const isMade = await super.createSecret(secret);
    if (!isMade) this.isBehind = false;
    return isMade;
  }
}

async function open(t: TestContext): Promise<LaggingKube> {
  const directory = await mkdtemp(join(tmpdir(), "mailboat-kept-"));
  t.after(() => rm(directory, { recursive: true }));
  const kube = new LaggingKube({ stateDirectory: directory, now: () => now, onStatus: () => undefined });
  await kube.open();
  return kube;
}

function sourcesOver(kube: Kube): RelaySources {
  return {
    kube,
    credentials: createCredentialSource(),
    issuers: createIssuerSource({ kube, now: () => 0 }),
    readReport: () => Promise.resolve(undefined),
    giveOrder: () => Promise.resolve(undefined),
    memory: new RelayMemory(),
    installation,
    now: () => now,
  };
}

test("authorities are not made anew by a leader that does not know of them", async (t) => {
  const kube = await open(t);
  await kube.setGiven([{ file: "a", object: relayOf() }]);
  const sources = sourcesOver(kube);
  const key = { namespace: "mail", name: "outbound" };
  const stored = (): Promise<readonly (Secret | undefined)[]> =>
    Promise.all(
      ["mailboat-ca", "mailboat-internal-ca"].map((name) => kube.get("Secret", installation.namespace, name)),
    );
  assert.equal(await reconcileRelay(sources, key), 0, "what they sign comes at once");
  const made = await stored();
  assert.ok(made.every((secret) => secret !== undefined));
  kube.isBehind = true;
  assert.equal(await reconcileRelay(sources, key), 1_000, "it looks again");
  assert.equal(kube.isBehind, false);
  assert.deepEqual(await stored(), made);
  await reconcileRelay(sources, key);
  assert.deepEqual(await stored(), made);
});

test("a managed key is not written over by a leader that does not know of it", async (t) => {
  const kube = await open(t);
  const dkim = { managed: { algorithms: ["Ed25519"] } };
  await kube.setGiven([
    { file: "a", object: relayOf() },
    { file: "b", object: domainOf({ spec: { dkim } }) },
  ]);
  const sources = sourcesOver(kube);
  const key = { namespace: "mail", name: "example-com" };
  await reconcileDomain(sources, key);
  const made = await kube.get("Secret", "mail", "example-com-dkim-mbe1");
  assert.ok(made !== undefined);
  kube.isBehind = true;
  assert.equal(await reconcileDomain(sources, key), 1_000, "it looks again");
  assert.equal(kube.isBehind, false);
  assert.deepEqual(await kube.get("Secret", "mail", "example-com-dkim-mbe1"), made);
  await reconcileDomain(sources, key);
  assert.deepEqual(await kube.get("Secret", "mail", "example-com-dkim-mbe1"), made);
});

const subject = { kind: "MailRelay", namespace: "mail", name: "outbound", generation: 1 } as const;
const one = secretOf({ name: "one", values: {} });
const elsewhere = secretOf({ name: "two", namespace: "other", values: {} });

/** What reaches the API server, in its order, and what of it is not taken. */
class RecordingKube extends LocalKube {
  readonly calls: string[] = [];
  readonly refuses = new Map<string, Error>();

  async #said(what: string): Promise<void> {
    this.calls.push(what);
    const refusal = this.refuses.get(what);
    if (refusal !== undefined) throw refusal;
    return Promise.resolve();
  }

  override apply({ metadata }: AppliedObject): Promise<void> {
    return this.#said(`apply ${metadata.name}`);
  }

  override mark({ name }: Reference): Promise<void> {
    return this.#said(`mark ${name}`);
  }

  override remove({ name }: Reference): Promise<void> {
    return this.#said(`remove ${name}`);
  }

  override setFinalizer(_reference: Reference, _finalizer: string, isPresent: boolean): Promise<void> {
    return this.#said(isPresent ? "put finalizer" : "take finalizer off");
  }

  override applyStatus(kind: "MailRelay" | "SenderDomain"): Promise<void> {
    return this.#said(`status of ${kind}`);
  }

  override emit({ reason }: KubeEvent): Promise<void> {
    return this.#said(`event ${reason}`);
  }
}

interface Stage {
  readonly kube: RecordingKube;
  /** With the rejections that each further plan was made with. */
  readonly replanned: (readonly Rejection[])[];
  readonly run: (actions: readonly Action[]) => Promise<Outcome<Plan>>;
}

async function openStage(t: TestContext): Promise<Stage> {
  const directory = await mkdtemp(join(tmpdir(), "mailboat-carryout-"));
  t.after(() => rm(directory, { recursive: true }));
  const kube = new RecordingKube({ stateDirectory: directory, now: () => now, onStatus: () => undefined });
  const means = sourcesOver(kube);
  const replanned: (readonly Rejection[])[] = [];
  return {
    kube,
    replanned,
    run: (actions) => {
      const plan: Plan = { actions, requeueAfterMs: 10_000 };
      const again = (rejections: readonly Rejection[]): Promise<Plan> => {
        replanned.push(rejections);
        const event = {
          kind: "event",
          event: { regarding: subject, type: "Warning", reason: "Invalid", note: "" },
        } as const;
        return Promise.resolve({ ...plan, actions: [...plan.actions.filter(({ kind }) => kind === "status"), event] });
      };
      return carryOut(means, { subject, plan, again });
    },
  };
}

const applied = (object: Secret): Action => ({ kind: "apply", object });
const status: Action = { kind: "status", of: "MailRelay", metadata: relayOf().metadata, status: {} };
const event: Action = { kind: "event", event: { regarding: subject, type: "Normal", reason: "Ready", note: "" } };
const takeOff: Action = { kind: "finalize", reference: subject, finalizer: "f", isPresent: false };
const put: Action = { ...takeOff, isPresent: true, isPrecondition: true };
const gone: Action = { kind: "remove", reference: { kind: "Secret", namespace: "mail", name: "three" } };

test("actions are done in their order, and what is said comes where the plan has it", async (t) => {
  const { kube, run, replanned } = await openStage(t);
  const { isNews, isUnderWay, againInMs } = await run([put, applied(one), gone, status, event, takeOff]);
  assert.deepEqual(kube.calls, [
    "put finalizer",
    "apply one",
    "remove three",
    "status of MailRelay",
    "event Ready",
    "take finalizer off",
  ]);
  assert.deepEqual([replanned, isNews, isUnderWay, againInMs], [[], false, false, 10_000]);
});

test("a refusal holds up nothing else, is told by the same look, and no more while it stays the same", async (t) => {
  const { kube, run, replanned } = await openStage(t);
  kube.refuses.set("apply two", new RejectedError("quota"));
  const actions = [applied(elsewhere), applied(one), status, event, takeOff];
  const first = await run(actions);
  assert.deepEqual(replanned, [[{ field: "metadata.name", message: "Kubernetes refuses Secret other/two: quota" }]]);
  const rest = ["apply two", "apply one", "status of MailRelay"];
  assert.deepEqual(kube.calls.splice(0), [...rest, "event Invalid", "take finalizer off"]);
  assert.deepEqual([first.isNews, first.isUnderWay, first.againInMs], [true, true, 10_000]);
  await run(actions);
  assert.deepEqual(kube.calls.splice(0), [...rest, "event Ready", "take finalizer off"]);
  assert.equal(replanned.length, 1);
  kube.refuses.clear();
  await run(actions);
  assert.deepEqual(replanned.at(-1), [], "that it is taken again is told as well");
});

test("where a precondition is refused nothing that needs it is done, and what is said is said", async (t) => {
  const { kube, run } = await openStage(t);
  kube.refuses.set("put finalizer", new ForbiddenError("no right"));
  await run([put, applied(one), gone, status, event]);
  assert.deepEqual(kube.calls, ["put finalizer", "status of MailRelay", "event Invalid"]);
});

test("a status that may be refused and is, is told by events alone, and once", async (t) => {
  const { kube, run } = await openStage(t);
  kube.refuses.set("status of MailRelay", new RejectedError("no list"));
  const doubtful: Action = { ...status, field: "spec", mayBeRefused: true };
  for (const said of [["event Invalid"], []]) {
    await run([doubtful, takeOff, event]);
    assert.deepEqual(kube.calls.splice(0), ["status of MailRelay", "take finalizer off", ...said]);
  }
});

test("what nobody who made the resource can mend ends the look", async (t) => {
  const { kube, run } = await openStage(t);
  kube.refuses.set("apply one", new Error("the server is away"));
  await assert.rejects(run([applied(one), gone, status]), /the server is away/);
  assert.deepEqual(kube.calls, ["apply one"]);
});

test("shares grow only when all that shrink are in force", async (t) => {
  const kube = await open(t);
  const pod = (name: string) => podOf(name, { administration: { host: name, port: 9465 } });
  const order = (name: string, share: number) => ({
    pod: pod(name),
    leases: { version: 1 as const, forMs: 60_000, shares: [{ key: "domain example.com", share }] },
  });
  const action: Action = {
    kind: "lease",
    relay: { namespace: "mail", name: "outbound" },
    authority: { certificate: "", privateKey: "", bundle: "" },
    shrinking: [order("idle", 0.05), order("other", 0.05)],
    growing: [order("busy", 0.9)],
  };
  const plan: Plan = { actions: [action], requeueAfterMs: undefined };
  for (const [failing, expected] of [
    [undefined, ["idle 0.05", "other 0.05", "busy 0.9"]],
    ["other", ["idle 0.05", "other 0.05"]],
  ] as const) {
    const given: string[] = [];
    const giveOrder: RelaySources["giveOrder"] = ({ address, leases }) => {
      given.push(`${address.host} ${leases?.shares[0]?.share}`);
      return Promise.resolve(address.host === failing ? "it does not answer" : undefined);
    };
    await carryOut(
      { ...sourcesOver(kube), giveOrder },
      {
        subject: { kind: "MailRelay", namespace: "mail", name: "outbound", generation: 1 },
        plan,
        again: () => Promise.resolve(plan),
      },
    );
    assert.deepEqual(given, expected);
  }
});
