/**
 * One job from its start to the durable outcome: attempt, decide, write, tell.
 *
 * On failure to write, the outcome is tried again for as long as this process lives (outcomewriter.ts); nobody is told of it before.
 * What throws here ends this delivery alone.
 */
import type { Chance, Clock } from "../../runtime/clock.ts";
import type { Snapshot, SnapshotSource } from "../config/snapshot.ts";
import type { HostMemory } from "../limits/hosts.ts";
import type { HostAnswer } from "../mail/hostanswer.ts";
import type { AttemptPhase, DeliveryMetrics } from "./metrics.ts";
import { noHopTracer, type DeliverHop, type HopTracer } from "../observe/hop.ts";
import type { Journal } from "../observe/journal.ts";
import type { Recipient } from "../spool/message/message.ts";
import type { Spool } from "../spool/verbs.ts";
import { attemptDelivery, type AttemptAnswer } from "./attempt.ts";
import { decideAttempt } from "./decide.ts";
import { settle, type Job } from "./job/job.ts";
import type { OutcomeWriter } from "./job/outcomewriter.ts";
import type { Parting } from "./job/parts.ts";
import type { LaneResult } from "./job/schedule.ts";
import { judge } from "./policy/failure.ts";
import type { Route } from "./policy/route.ts";
import type { Pool } from "./pool.ts";
import { recordAttempt } from "./account.ts";
import type { NextHopFinder } from "./resolve/nexthops.ts";

/** What whoever carries mail is told and asked by those around. */
export interface CarrierOptions {
  readonly snapshots: SnapshotSource;
  readonly spool: Pick<Spool, "readBody">;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly metrics: DeliveryMetrics;
  readonly journal: Journal;
  /** Nothing is traced when absent. */
  readonly hops?: HopTracer;
}

export interface CarrierParts {
  readonly pool: Pool;
  readonly hosts: HostMemory;
  readonly finder: Pick<NextHopFinder, "hops">;
  readonly parting: Parting;
  readonly outcomes: OutcomeWriter;
  /** See Outgoing. */
  readonly place: (job: Job) => Promise<void> | undefined;
  /** Recipients are due again then. */
  readonly onDeferred: (dueAt: number) => void;
}

/** How a job is carried: the configuration that was in force when it started, and the way it takes. */
interface Way {
  readonly snapshot: Snapshot;
  readonly route: Route;
  readonly hop: DeliverHop | undefined;
}

export class Carrier {
  readonly #options: CarrierOptions;
  readonly #parts: CarrierParts;

  constructor(options: CarrierOptions, parts: CarrierParts) {
    this.#options = options;
    this.#parts = parts;
  }

  /** What it showed of the job's destination. */
  async carry(job: Job, way: Omit<Way, "hop">): Promise<LaneResult | undefined> {
    const { message, recipients } = job;
    const { clock, metrics, hops = noHopTracer } = this.#options;
    const hop = hops.deliver({ message, recipients, now: clock.now() });
    try {
      const isFirst = (recipients[0]?.attempts ?? 0) <= 1;
      if (isFirst) metrics.phaseEnded("wait", (clock.now() - message.acceptedAt) / 1000);
      const answers = await this.#attempt(job, { ...way, hop });
      settle(job);
      this.#parts.parting.learn(message.id, hostsAnswers(answers));
      const isDurable = await this.#settle(job, answers, { ...way, hop });
      return isDurable ? laneResult(hostsAnswers(answers)) : undefined;
    } finally {
      hop?.end(undefined);
    }
  }

  #attempt(job: Job, { snapshot, route, hop }: Way): Promise<ReadonlyMap<Recipient, AttemptAnswer>> {
    const { clock, spool, snapshots } = this.#options;
    const { pool, hosts, finder, place } = this.#parts;
    return attemptDelivery(job.message, job.recipients, {
      snapshot,
      mode: () => snapshots.current().relay.delivery,
      route,
      pool,
      hosts,
      readBody: ({ id }) => bodyChunks(spool.readBody(id)),
      findHops: (towards) => finder.hops(towards, snapshot.relay, job.finding),
      now: clock.now(),
      place: () => place(job),
      timed: (phase, work) => this.#timed(phase, work),
      hop,
    });
  }

  /** People and panels are told of an outcome when it is durable, and not before. */
  async #settle(job: Job, answers: ReadonlyMap<Recipient, AttemptAnswer>, { snapshot, hop }: Way): Promise<boolean> {
    const { clock, chance, journal, metrics, snapshots } = this.#options;
    const { message } = job;
    const mode = snapshots.current().relay.delivery;
    const attempted = decideAttempt({ message, answers, snapshot, mode, now: clock.now(), chance, hop });
    const outcomes = attempted.recipients.map(({ outcome }) => outcome);
    const notices = attempted.notices.map(({ entry }) => entry);
    if (!(await this.#parts.outcomes.write(job, { id: message.id, outcomes, notices }))) return false;
    hop?.end(outcomes);
    recordAttempt({ message, ...attempted, now: clock.now(), traceId: hop?.traceId }, journal, metrics);
    for (const outcome of outcomes) if (outcome.kind === "deferred") this.#parts.onDeferred(outcome.dueAt);
    return true;
  }

  async #timed<T>(phase: AttemptPhase, work: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    try {
      return await work();
    } finally {
      this.#options.metrics.phaseEnded(phase, (performance.now() - startedAt) / 1000);
    }
  }
}

function hostsAnswers(answers: ReadonlyMap<Recipient, AttemptAnswer>): readonly HostAnswer[] {
  return [...answers.values()].flatMap((answer) => (answer.kind === "captured" ? [] : answer));
}

/** What the answers say about the hosts of a destination; undefined when they say nothing. */
function laneResult(answers: readonly HostAnswer[]): LaneResult | undefined {
  const ofHost = answers.flatMap((answer) =>
    answer.kind === "trouble" && judge(answer.trouble).scope === "host" ? answer : [],
  );
  if (answers.length === 0) return undefined;
  if (ofHost.length < answers.length) return "good";
  if (ofHost.every(({ unreached }) => unreached === "resting")) return "untried";
  return ofHost.every(({ unreached }) => unreached !== undefined) ? "bad" : undefined;
}

async function* bodyChunks(stream: NodeJS.ReadableStream): AsyncIterable<Buffer | string> {
  yield* stream;
}
