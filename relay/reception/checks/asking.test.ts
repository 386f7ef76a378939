/** What a session hears of checks that answer, do not answer, fail, or answer when nobody is there any more. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { refusal } from "../../mail/reply.ts";
import { Asking, type Silence } from "./asking.ts";
import type { Check } from "./check.ts";
import { pass, stopped, type Verdict } from "./verdict.ts";

type Judge = Check<string>["judge"];

function check(name: string, judge: Judge, deadlineMs = 60_000): Check<string> {
  return { name, deadlineMs, judge };
}

function asking(): { readonly asking: Asking; readonly silences: [string, Silence][] } {
  const silences: [string, Silence][] = [];
  return { asking: new Asking((...silence) => silences.push(silence)), silences };
}

const no = stopped("no", refusal(550, "5.7.1", "no"));
const mark: Verdict = { kind: "mark", fields: [{ name: "X-Check", value: "1" }] };
/** Has `then` and nothing else, as what other libraries make may. */
function ofAnotherMake<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return { then: promise.then.bind(promise) } as Promise<T>; // eslint-disable-line unicorn/no-thenable
}
const never: Judge = () => new Promise(() => undefined);
const unanswered = refusal(451, "4.3.0", "This cannot be checked now, try again later");

test("with nobody to ask no question is made, and what is thought already is the verdict", () => {
  const verdict = asking().asking.ask(mark, [], () => assert.fail("nobody wants to know"));
  assert.equal(verdict, mark);
});

test("who is stopped already is asked about no more", () => {
  const verdict = asking().asking.ask(no, [check("a", () => assert.fail("asked"))], () => "q");
  assert.equal(verdict, no);
});

test("what is answered at once is there at once, in order, up to the first that says no", () => {
  const asked: string[] = [];
  const says = (name: string, verdict: Verdict): Check<string> =>
    check(name, (question) => {
      asked.push(`${name} ${question}`);
      return verdict;
    });
  const checks = [says("a", mark), says("b", pass), says("c", no), says("d", pass)];
  assert.deepEqual(
    asking().asking.ask(pass, checks, () => "q"),
    no,
  );
  assert.deepEqual(asked, ["a q", "b q", "c q"]);
  assert.deepEqual(
    asking().asking.ask(mark, checks.slice(0, 2), () => "q"),
    {
      kind: "mark",
      fields: [
        { name: "X-Check", value: "1" },
        { name: "X-Check", value: "1" },
      ],
    },
  );
});

test("one after the other: the second is asked when the first has answered", async () => {
  const first = Promise.withResolvers<Verdict>();
  const asked: string[] = [];
  const checks = [
    check("a", () => first.promise),
    check("b", () => {
      asked.push("b");
      return Promise.resolve(pass);
    }),
  ];
  const verdict = asking().asking.ask(pass, checks, () => "q");
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(asked, []);
  first.resolve(mark);
  assert.deepEqual(await verdict, mark);
  assert.deepEqual(asked, ["b"]);
});

test("an answer that does not come within the deadline is 451, is told once, and the check hears of it", async () => {
  const { asking: one, silences } = asking();
  let signal: AbortSignal | undefined;
  const late = Promise.withResolvers<Verdict>();
  const judge: Judge = (_question, attention) => {
    signal = attention.signal;
    return late.promise;
  };
  const verdict = await one.ask(pass, [check("slow", judge, 5)], () => "q");
  assert.deepEqual(verdict, stopped("slow", unanswered));
  assert.equal(signal?.aborted, true);
  assert.deepEqual(silences, [["slow", { kind: "overdue" }]]);
  late.reject(new Error("too late to matter"));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(silences.length, 1);
});

for (const [how, judge] of [
  [
    "throws",
    (): never => {
      throw new Error("broken");
    },
  ],
  ["rejects", () => Promise.reject(new Error("broken"))],
  ["rejects with a promise of another make", () => ofAnotherMake(Promise.reject(new Error("broken")))],
] as const) {
  test(`a check that ${how} is 451, and told`, async () => {
    const { asking: one, silences } = asking();
    assert.deepEqual(await one.ask(pass, [check("ill", judge)], () => "q"), stopped("ill", unanswered));
    assert.deepEqual(silences, [["ill", { kind: "failed", error: new Error("broken") }]]);
  });
}

test("a promise of another make is waited for, and never taken for the verdict", async () => {
  const { asking: one, silences } = asking();
  const verdict = one.ask(pass, [check("a", () => ofAnotherMake(Promise.resolve(no)))], () => "q");
  assert.ok(verdict instanceof Promise);
  assert.deepEqual(await verdict, no);
  const silent = check("b", () => ofAnotherMake(new Promise<Verdict>(() => undefined)), 5);
  assert.deepEqual(await one.ask(pass, [silent], () => "q"), stopped("b", unanswered));
  assert.deepEqual(silences, [["b", { kind: "overdue" }]]);
});

for (const [when, later] of [
  ["at once", false],
  ["later", true],
] as const) {
  test(`a mark with an impossible name that is said ${when} is the check's failure, and 451`, async () => {
    const { asking: one, silences } = asking();
    const bad: Verdict = { kind: "mark", fields: [{ name: "X Check", value: "1" }] };
    const judge: Judge = () => (later ? Promise.resolve(bad) : bad);
    assert.deepEqual(await one.ask(pass, [check("ill", judge)], () => "q"), stopped("ill", unanswered));
    const error = new Error('a field cannot have the name "X Check"');
    assert.deepEqual(silences, [["ill", { kind: "failed", error }]]);
  });
}

test("when the session has ended nobody waits: what is open is aborted and counted as nobody's failure", async () => {
  const { asking: one, silences } = asking();
  let signal: AbortSignal | undefined;
  const verdict = one.ask(
    pass,
    [
      check("slow", (_question, attention) => {
        signal = attention.signal;
        return new Promise((_resolve, reject) =>
          attention.signal.addEventListener("abort", () => reject(new Error("aborted"))),
        );
      }),
    ],
    () => "q",
  );
  one.end();
  assert.equal(signal?.aborted, true);
  assert.deepEqual(await verdict, stopped("slow", unanswered));
  // Also who is asked after that.
  assert.deepEqual(await one.ask(pass, [check("late", never)], () => "q"), stopped("late", unanswered));
  assert.deepEqual(silences, []);
});

test("all checks of one command together have its time, and the next command has its own", async () => {
  const silences: string[] = [];
  let now = 0;
  const one = new Asking(
    (name, { kind }) => silences.push(`${name} ${kind}`),
    100,
    () => now,
  );
  const slow = (name: string, ms: number): Check<string> =>
    check(name, async () => {
      await Promise.resolve();
      now += ms;
      return pass;
    });
  assert.deepEqual(await one.ask(pass, [slow("a", 60), slow("b", 40)], () => "q"), pass);
  assert.deepEqual(await one.ask(pass, [check("c", never)], () => "q"), stopped("c", unanswered));
  assert.deepEqual(silences, ["c overdue"]);
  one.begin();
  assert.deepEqual(await one.ask(pass, [slow("e", 60)], () => "q"), pass);
  // Something of it was given up and does not end.
  void one.ask(pass, [check("stuck", never)], () => "q");
  now += 100;
  one.begin();
  const later = check("f", async () => {
    await pause(10);
    return pass;
  });
  assert.deepEqual(await one.ask(pass, [later], () => "q"), pass);
  one.end();
});
