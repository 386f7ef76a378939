/**
 * Loaded into a program under test before its own code (fastTime() says how): its clock begins at a time of the test's choice and
 * runs so many times as fast as others, and its timers with it. Until SIGUSR2 the clock stands still, so that a start on a busy
 * machine takes no time. Durations that are measured, and time limits that the kernel keeps, are those of the world.
 */
import { syncBuiltinESMExports } from "node:module";
import timersPromises from "node:timers/promises";
import { isMainThread } from "node:worker_threads";

const variable = "MAILBOAT_TEST_TIME";

export interface FastTime {
  /** ms since the epoch. */
  readonly beginsAt: number;
  readonly factor: number;
}

/** For the environment of a program that Node runs. */
export function fastTime({ beginsAt, factor }: FastTime): Readonly<Record<string, string>> {
  return { NODE_OPTIONS: `--import=${import.meta.url}`, [variable]: `${beginsAt} ${factor}` };
}

const wish = process.env[variable];
if (wish !== undefined && isMainThread) {
  const [beginsAt = 0, factor = 1] = wish.split(" ").map(Number);
  run({ beginsAt, factor });
}

function run({ beginsAt, factor }: FastTime): void {
  let startedAt: number | undefined;
  process.once("SIGUSR2", () => {
    startedAt = performance.now();
  });
  const now = (): number =>
    Math.round(beginsAt + (startedAt === undefined ? 0 : (performance.now() - startedAt) * factor));
  const date = new Proxy(Date, {
    construct(target, args, made): object {
      const constructed: unknown = Reflect.construct(target, args.length === 0 ? [now()] : args, made);
      return constructed as object;
    },
    get: (target, name): unknown => (name === "now" ? now : Reflect.get(target, name)),
  });
  Reflect.set(globalThis, "Date", date);
  for (const name of ["setTimeout", "setInterval"] as const) {
    const real = globalThis[name];
    Reflect.set(globalThis, name, (act: () => void, ms = 0, ...args: []) => real(act, ms / factor, ...args));
  }
  const { setTimeout: pause } = timersPromises;
  Reflect.set(timersPromises, "setTimeout", async <T>(ms = 0, value?: T, options?: object) =>
    pause(ms / factor, value, options),
  );
  syncBuiltinESMExports();
}
