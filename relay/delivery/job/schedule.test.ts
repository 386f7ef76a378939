import assert from "node:assert/strict";
import { test } from "node:test";
import { newMessage } from "../../../test/support/relayvalues.ts";
import { failToWrite, settle, waiting, type Job } from "./job.ts";
import { DeliverySchedule, type Claimant, type Room } from "./schedule.ts";

const wide = { messages: 1_000, recipients: 100_000, bytes: 1 << 20, inFlight: 100, inFlightPerRoute: 100 };

function jobOf(domain: string, key = "r", cap = 1_000): Job {
  const { message, recipients } = newMessage({ domain });
  return { message, recipients, route: { kind: "mx", key, domain: key }, lane: { key, cap }, state: waiting };
}

function claimantOf(message: Claimant["message"], destinations: readonly string[], recipients = 1): Claimant {
  return { message, recipients, destinations };
}

const messagesOf = ({ messages }: Room): number => messages;

/** Holds and enqueues; the lane's key is taken for the recipients' domain. */
function add(schedule: DeliverySchedule, jobs: readonly Job[]): void {
  for (const job of jobs) {
    schedule.hold(claimantOf(job.message, [job.lane.key], job.recipients.length), 1);
    schedule.enqueue(job);
  }
}

function takeAll(schedule: DeliverySchedule): Job[] {
  const jobs: Job[] = [];
  for (let job = schedule.take(0); job !== undefined; job = schedule.take(0)) jobs.push(job);
  return jobs;
}

test("DeliverySchedule lets sender domains take turns", () => {
  const schedule = new DeliverySchedule(wide);
  add(
    schedule,
    ["a", "a", "a", "b", "c", "b"].map((domain) => jobOf(domain, `of ${domain}`)),
  );
  const order = takeAll(schedule).map((job) => job.message.domain);
  assert.deepEqual(order, ["a", "b", "c", "a", "b", "a"]);
});

test("DeliverySchedule lets the routes of one domain take turns", () => {
  const schedule = new DeliverySchedule(wide);
  add(schedule, [jobOf("a", "slow"), jobOf("a", "slow"), jobOf("a", "fast")]);
  assert.deepEqual(
    takeAll(schedule).map((job) => job.route.key),
    ["slow", "fast", "slow"],
  );
});

test("DeliverySchedule passes over a lane that has its share in flight", () => {
  const schedule = new DeliverySchedule({ ...wide, inFlightPerRoute: 1 });
  const slow = jobOf("a", "slow");
  add(schedule, [slow, jobOf("a", "slow"), jobOf("b", "slow"), jobOf("a", "fast")]);
  assert.deepEqual(
    takeAll(schedule).map((job) => `${job.message.domain} ${job.route.key}`),
    ["a slow", "a fast"],
  );
  schedule.finish(slow);
  assert.equal(schedule.take(0)?.message.domain, "b");
});

test("DeliverySchedule gives out all that waits at once, and holds it until it is released", () => {
  const schedule = new DeliverySchedule({ ...wide, inFlight: 1 });
  const jobs = [jobOf("a"), jobOf("a", "other"), jobOf("b")];
  add(schedule, jobs);
  const flying = schedule.take(0);
  const given = schedule.takeWaiting();
  assert.deepEqual(new Set([flying, ...given]), new Set(jobs));
  assert.deepEqual(schedule.takeWaiting(), []);
  assert.equal(messagesOf(schedule.room()), wide.messages - 3);
  for (const job of given) schedule.release(job);
  assert.equal(messagesOf(schedule.room()), wide.messages - 1);
});

test("DeliverySchedule never has more in flight than the window allows", () => {
  const schedule = new DeliverySchedule({ ...wide, inFlight: 2 });
  add(schedule, [jobOf("a"), jobOf("b"), jobOf("c")]);
  const [first] = takeAll(schedule);
  assert.ok(first);
  assert.equal(schedule.take(0), undefined);
  schedule.finish(first);
  assert.equal(takeAll(schedule).length, 1);
});

test("DeliverySchedule counts a message until its last job is finished", () => {
  const schedule = new DeliverySchedule({ ...wide, messages: 1 });
  const job = jobOf("a", "one");
  add(schedule, [job, { ...job, lane: { key: "two", cap: 1 } }]);
  assert.equal(messagesOf(schedule.room()), 0);
  const jobs = takeAll(schedule);
  assert.equal(jobs.length, 2);
  for (const taken of jobs) schedule.finish(taken);
  assert.equal(messagesOf(schedule.room()), 1);
  assert.ok(schedule.isEmpty());
});

test("DeliverySchedule has no room once the bytes in memory reach the window", () => {
  const schedule = new DeliverySchedule({ ...wide, bytes: 10 });
  const job = jobOf("a");
  add(schedule, [job]);
  assert.equal(messagesOf(schedule.room()), 0);
  schedule.take(0);
  schedule.finish(job);
  assert.equal(messagesOf(schedule.room()), 1_000);
});

test("DeliverySchedule lets nobody take the last room: a newcomer always finds some", () => {
  const schedule = new DeliverySchedule({ ...wide, messages: 100 });
  const fill = (domain: string, destination: string): number => {
    for (let count = 0; ; count += 1) {
      const { message } = newMessage({ domain });
      const claimant = claimantOf(message, [destination]);
      if (!schedule.mayHold(claimant)) return count;
      schedule.hold(claimant, 1);
    }
  };
  assert.equal(fill("noisy", "dead"), 34);
  assert.deepEqual(schedule.crowded(), { senders: [], destinations: ["dead"] });
  assert.equal(fill("noisy", "alive"), 16);
  assert.deepEqual(schedule.crowded().senders, ["noisy"]);
  assert.ok(fill("quiet", "other") >= 16);
  assert.ok(fill("quieter", "another") >= 8);
  assert.ok(messagesOf(schedule.room()) > 0);
});

test("DeliverySchedule counts a sender's bytes like its messages", () => {
  const schedule = new DeliverySchedule({ ...wide, bytes: 100_000 });
  const large = newMessage({ domain: "large", body: { kind: "inline", bytes: Buffer.alloc(60_000) } });
  const claimant = claimantOf(large.message, []);
  assert.ok(schedule.mayHold(claimant));
  schedule.hold(claimant, 1);
  assert.ok(!schedule.mayHold(claimantOf(newMessage({ domain: "large" }).message, [])));
  assert.ok(schedule.mayHold(claimantOf(newMessage({ domain: "small" }).message, [])));
});

test("DeliverySchedule keeps a quarter of the flights from a single sender", () => {
  const schedule = new DeliverySchedule({ ...wide, inFlight: 64 });
  add(
    schedule,
    Array.from({ length: 100 }, (_, index) => jobOf("noisy", `d${index}`)),
  );
  assert.equal(takeAll(schedule).length, 48);
  add(
    schedule,
    Array.from({ length: 100 }, (_, index) => jobOf("quiet", `e${index}`)),
  );
  assert.ok(takeAll(schedule).length >= 12);
});

test("DeliverySchedule starts a destination with few, gives more with success and one after failure", () => {
  const schedule = new DeliverySchedule({ ...wide, inFlight: 1_000, inFlightPerRoute: 20 });
  add(
    schedule,
    Array.from({ length: 200 }, () => jobOf("a")),
  );
  const finishAll = (jobs: readonly Job[], result: "good" | "bad" | "untried"): number => {
    for (const job of jobs) schedule.finish(job, result);
    return jobs.length;
  };
  assert.equal(finishAll(takeAll(schedule), "good"), 4);
  assert.equal(finishAll(takeAll(schedule), "good"), 20);
  assert.equal(finishAll(takeAll(schedule), "bad"), 20);
  assert.equal(finishAll(takeAll(schedule), "untried"), 1);
  assert.equal(finishAll(takeAll(schedule), "bad"), 4);
  assert.equal(takeAll(schedule).length, 1);
});

test("DeliverySchedule keeps within what the destination allows", () => {
  const schedule = new DeliverySchedule(wide);
  add(
    schedule,
    Array.from({ length: 10 }, () => jobOf("a", "r", 2)),
  );
  assert.equal(takeAll(schedule).length, 2);
});

test("DeliverySchedule counts the flights of a destination also when it forgets idle ones to remember it", () => {
  const schedule = new DeliverySchedule(wide);
  for (let count = 0; count < 10_000; count += 1) {
    add(schedule, [jobOf("a", `destination ${count}`)]);
    for (const job of takeAll(schedule)) schedule.finish(job);
  }
  add(
    schedule,
    [1, 2, 3].map(() => jobOf("a", "one more", 2)),
  );
  assert.equal(takeAll(schedule).length, 2);
});

test("DeliverySchedule lets others fly in the place of a delivery that takes long", () => {
  const schedule = new DeliverySchedule({ ...wide, inFlight: 8 });
  add(
    schedule,
    Array.from({ length: 20 }, (_, index) => jobOf(`s${index % 5}`, "slow")),
  );
  const slow = takeAll(schedule);
  assert.equal(slow.length, 4);
  for (const job of slow) schedule.slow(job);
  assert.equal(takeAll(schedule).length, 0, "its destination gets no more");
  add(schedule, [jobOf("other", "fast")]);
  assert.equal(takeAll(schedule).length, 1);
  for (const job of slow) schedule.finish(job, "bad");
  add(
    schedule,
    Array.from({ length: 20 }, (_, index) => jobOf(`t${index}`, `d${index}`)),
  );
  assert.equal(takeAll(schedule).length, 7, "all places but one are free");
});

test("DeliverySchedule keeps the place of a message that the next hop has, until its outcome is written", () => {
  const schedule = new DeliverySchedule({ ...wide, inFlight: 4 });
  add(
    schedule,
    Array.from({ length: 20 }, (_, index) => jobOf(`s${index}`, `d${index}`)),
  );
  const [first, second, third, ...others] = takeAll(schedule);
  assert.ok(first && second && third);
  assert.equal(others.length, 1);
  assert.ok(schedule.handOver(first, 0));
  settle(second);
  failToWrite(third);
  for (const job of [first, second, third]) schedule.slow(job);
  assert.equal(schedule.take(0), undefined, "waiting for the disk is not waiting for a host");
  schedule.finish(first);
  assert.ok(schedule.take(0));
});

test("DeliverySchedule wants a place again for who stood aside and has a message to hand over", () => {
  const schedule = new DeliverySchedule({ ...wide, inFlight: 2 });
  add(
    schedule,
    Array.from({ length: 6 }, (_, index) => jobOf(`s${index}`, `d${index}`)),
  );
  const slow = takeAll(schedule);
  for (const job of slow) schedule.slow(job);
  const fast = takeAll(schedule);
  assert.deepEqual([slow.length, fast.length], [2, 2]);
  const [one, other] = slow;
  const [quick] = fast;
  assert.ok(one && other && quick);
  assert.ok(!schedule.handOver(one, 0));
  schedule.finish(quick);
  assert.ok(schedule.handOver(one, 0));
  assert.ok(!schedule.handOver(other, 0));
  // What was not handed over needs no place for its outcome.
  settle(other);
  schedule.finish(other);
  assert.equal(schedule.take(0), undefined, "every place is taken");
});

test("DeliverySchedule has room by recipients as by messages, and gives it back job by job", () => {
  const schedule = new DeliverySchedule({ ...wide, recipients: 1_000 });
  const addressed = (count: number): ReturnType<typeof newMessage> =>
    newMessage(
      {},
      Array.from({ length: count }, () => ({})),
    );
  const { message, recipients } = addressed(600);
  assert.ok(!schedule.mayHold(claimantOf(addressed(1_001).message, [], 1_001)));
  assert.ok(schedule.mayHold(claimantOf(message, [], 600)));
  schedule.hold(claimantOf(message, ["big.test"], 600), 1);
  schedule.split(message.id, 2);
  assert.deepEqual(schedule.crowded(), { senders: ["example.com"], destinations: ["big.test"] });
  assert.ok(!schedule.mayHold(claimantOf(newMessage().message, [])), "its sender has its share");
  assert.equal(schedule.room().recipients, 400);
  const jobs = [recipients.slice(0, 100), recipients.slice(100)].map((part): Job => ({
    ...jobOf("a"),
    message,
    recipients: part,
  }));
  for (const job of jobs) schedule.enqueue(job);
  schedule.finish(schedule.take(0) ?? assert.fail());
  assert.equal(schedule.room().recipients, 500);
  schedule.hold(claimantOf(addressed(600).message, [], 600), 1);
  assert.deepEqual(schedule.room(), { messages: 0, recipients: 0, bytes: 0 });
});
