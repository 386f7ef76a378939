/**
 * Carries out plans, of whatever kind of resource: each action in its turn. What the API server refuses becomes a Rejection, here
 * and nowhere else; the others go on, and where the refusal is news the plan is made again with it, so that this very look tells
 * of it. What nobody who made the resource can mend is thrown, and the loop tries again.
 */
import { revisionAnnotation } from "../../api/labels.ts";
import { makeKeySecret } from "../dkim/makekey.ts";
import { type Kube, keyOf, nameOf, type Reference, RejectedError } from "../kube/kube.ts";
import type { AppliedObject } from "../kube/objects.ts";
import type { GiveOrder } from "../pods/giveorder.ts";
import type { LeaseOrder } from "../pods/leases.ts";
import { orderDigest } from "../pods/orders.ts";
import { issueLeaves, makeAuthority } from "../trust/making.ts";
import { authorityReference } from "../trust/request.ts";
import { type Action, type ActionKind, type Plan, tells } from "./actions.ts";
import type { RelayMemory } from "./memory.ts";
import { type Rejection, rejectionOf } from "./rejection.ts";

/** What it takes to do what a plan says. */
export interface Means {
  readonly kube: Kube;
  readonly memory: RelayMemory;
  readonly giveOrder: GiveOrder;
  readonly now: () => number;
}

export interface Work<P extends Plan> {
  /** The resource that the plan is for. */
  readonly subject: Reference & { readonly generation: number | undefined };
  readonly plan: P;
  /** The same plan, with what has just been refused or is taken again. */
  readonly again: (rejections: readonly Rejection[]) => Promise<P>;
}

export interface Outcome<P extends Plan> {
  /** The plan whose status and events were told. */
  readonly told: P;
  /** Whether something was refused, or is taken again, of which the first plan did not know. */
  readonly isNews: boolean;
  /** Whether the resource is looked at again for what was met here, and not for what the plan says. */
  readonly isUnderWay: boolean;
  /** When to look again; undefined when only a change matters. */
  readonly againInMs: number | undefined;
}

/** What came of an action beside its being done. */
type Effect =
  /** Something was refused, or is granted now, that is no Rejection. */
  | "news"
  /** Something was there already of which the look knew nothing. */
  | "behind"
  /** What follows from it comes with the next look. */
  | "first";

/** How long a cache that lags behind is given. */
const behindMs = 1_000;

interface Craft<K extends ActionKind> {
  /** What is written, as it is named where it is refused. */
  readonly writes: (action: Action<K>) => Reference;
  readonly act: (action: Action<K>, means: Means, effects: Set<Effect>) => Promise<void>;
}

const crafts: { readonly [K in ActionKind]: Craft<K> } = {
  finalize: {
    writes: ({ reference }) => reference,
    act: ({ reference, finalizer, isPresent }, { kube }) => kube.setFinalizer(reference, finalizer, isPresent),
  },
  adopt: { writes: ({ secret }) => referenceTo(secret), act: ({ secret }, { kube }) => kube.adoptSecret(secret) },
  makeKey: {
    writes: ({ secret }) => referenceTo(secret),
    act: async (action, { kube }, effects) => {
      // The key that is there may be published: it is never written over.
      if (!(await kube.createSecret(await makeKeySecret(action)))) effects.add("behind");
    },
  },
  keepAuthority: { writes: authorityReference, act: keepAuthority },
  issue: {
    writes: ({ secret }) => referenceTo(secret),
    act: async (action, { kube }) => kube.apply(await issueLeaves(action)),
  },
  merge: {
    writes: ({ secret }) => referenceTo(secret),
    act: ({ secret, changes }, { kube }) => kube.mergeSecret(secret, changes),
  },
  mark: {
    writes: ({ reference }) => reference,
    act: ({ reference, change }, { kube }) => kube.mark(reference, change),
  },
  apply: { writes: ({ object }) => referenceTo(object), act: ({ object }, { kube }) => kube.apply(object) },
  grow: { writes: ({ claim }) => ({ kind: "PersistentVolumeClaim", ...claim }), act: grow },
  nudge: {
    writes: podOf,
    act: async (action, { kube, memory, now }) => {
      memory.annotated(action.pod.uid, now());
      await kube.mark(podOf(action), { annotations: { [revisionAnnotation]: action.value } });
    },
  },
  order: { writes: ({ relay }) => ({ kind: "MailRelay", ...relay }), act: giveOrders },
  lease: { writes: ({ relay }) => ({ kind: "MailRelay", ...relay }), act: giveLeases },
  remove: { writes: ({ reference }) => reference, act: ({ reference }, { kube }) => kube.remove(reference) },
  status: {
    writes: ({ of, metadata: { namespace, name } }) => ({ kind: of, namespace, name }),
    act: (action, { kube }) =>
      action.of === "MailRelay"
        ? kube.applyStatus("MailRelay", action, action.status)
        : kube.applyStatus("SenderDomain", action, action.status),
  },
  event: { writes: ({ event }) => event.regarding, act: ({ event }, { kube }) => kube.emit(event) },
};

export async function carryOut<P extends Plan>(means: Means, work: Work<P>): Promise<Outcome<P>> {
  const { subject, plan, again } = work;
  const { memory, now } = means;
  const key = keyOf(subject);
  const first = plan.actions.findIndex(tells);
  const telling = first < 0 ? plan.actions.length : first;
  const { rejections, effects } = await doAll(means, subject, plan.actions.slice(0, telling));
  const isNews =
    memory.rejections.met(key, rejections, { generation: subject.generation, now: now() }) || effects.has("news");
  const told = isNews ? await again(memory.rejections.of(key)) : plan;
  // While status cannot be written, it would make the same events at each look.
  const isDoubtful = plan.actions.some((action) => action.kind === "status" && !tells(action));
  const said = isDoubtful && rejections.length > 0 && !isNews ? [] : told.actions.filter(tells);
  for (const action of said) await act(action, means, effects);
  for (const action of plan.actions.slice(telling)) if (!tells(action)) await act(action, means, effects);
  const pauseMs = memory.rejections.pauseMs(key);
  return {
    told,
    isNews,
    isUnderWay: pauseMs > 0 || effects.has("first") || effects.has("behind"),
    againInMs: againInMs({ asked: told.requeueAfterMs, pauseMs, effects }),
  };
}

interface Timing {
  readonly asked: number | undefined;
  /** Of refusals that change from look to look. */
  readonly pauseMs: number;
  readonly effects: ReadonlySet<Effect>;
}

function againInMs({ asked, pauseMs, effects }: Timing): number | undefined {
  if (pauseMs > 0) return Math.max(pauseMs, asked ?? 0);
  if (effects.has("first")) return 0;
  return effects.has("behind") ? behindMs : asked;
}

interface Done {
  readonly rejections: readonly Rejection[];
  readonly effects: Set<Effect>;
}

async function doAll(means: Means, subject: Reference, actions: readonly Action[]): Promise<Done> {
  const rejections: Rejection[] = [];
  const effects = new Set<Effect>();
  for (const action of actions) {
    try {
      await act(action, means, effects);
    } catch (error) {
      rejections.push(rejectionOf(refusedWrite(action, subject), error));
      if (action.isPrecondition === true) break;
    }
  }
  return { rejections, effects };
}

function act<K extends ActionKind>(action: Action<K>, means: Means, effects: Set<Effect>): Promise<void> {
  const craft: Craft<K> = crafts[action.kind];
  return craft.act(action, means, effects);
}

/** What is elsewhere is named with its namespace. */
function refusedWrite<K extends ActionKind>(action: Action<K>, subject: Reference) {
  const craft: Craft<K> = crafts[action.kind];
  const { kind, namespace, name } = craft.writes(action);
  const shown = namespace === subject.namespace ? name : nameOf({ namespace, name });
  return { kind, name: shown, ...(action.field === undefined ? {} : { field: action.field }) };
}

/** Two that found none at the same time do not make two: one of them is behind. */
async function keepAuthority(
  { wanted, installation, read }: Action<"keepAuthority">,
  { kube, now }: Means,
  effects: Set<Effect>,
): Promise<void> {
  const secret = await makeAuthority(wanted, installation.namespace, now());
  const isKept = read === undefined ? await kube.createSecret(secret) : await kube.replaceSecret(read, secret);
  effects.add(isKept ? "first" : "behind");
}

/** A storage class that does not allow it is a fact for status, and must not hold up the rest. */
async function grow(
  { claim, size }: Action<"grow">,
  { kube, memory, now }: Means,
  effects: Set<Effect>,
): Promise<void> {
  const key = nameOf(claim);
  try {
    await kube.growClaim(claim.namespace, claim.name, size);
    memory.granted(key);
  } catch (error) {
    if (!(error instanceof RejectedError)) throw error;
    if (memory.refused(key, error.message, now())) effects.add("news");
  }
}

/** All at once: a pod that does not answer must not hold up the others. */
async function giveOrders(
  { relay, authority, orders }: Action<"order">,
  { giveOrder, memory, now }: Means,
): Promise<void> {
  await Promise.all(
    orders.map(async ({ pod: { uid, administration }, order }) => {
      if (administration === undefined) return;
      const failure = await giveOrder({ address: administration, relay, order, authority });
      if (failure !== undefined) memory.orderFailed(uid, failure, now());
      else memory.ordered(uid, order === undefined ? undefined : orderDigest(order), now());
    }),
  );
}

/** What has not shrunk somewhere must not grow elsewhere: the next look finds what each pod has. */
async function giveLeases(
  { relay, authority, shrinking, growing }: Action<"lease">,
  { giveOrder }: Means,
): Promise<void> {
  const give = (orders: readonly LeaseOrder[]): Promise<readonly (string | undefined)[]> =>
    Promise.all(
      orders.map(async ({ pod: { administration }, leases }) =>
        administration === undefined
          ? "it takes no orders"
          : giveOrder({ address: administration, relay, order: undefined, leases, authority }),
      ),
    );
  const failures = await give(shrinking);
  if (failures.every((failure) => failure === undefined)) await give(growing);
}

function podOf({ namespace, pod }: Action<"nudge">): Reference {
  return { kind: "Pod", namespace, name: pod.name };
}

function referenceTo({ kind, metadata: { namespace, name } }: AppliedObject): Reference {
  return { kind, namespace, name };
}
