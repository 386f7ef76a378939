/**
 * Traces for the rooms. The SDK (runtime/tracing) is loaded when an endpoint or a sink is first named; until then, and after
 * the endpoint is taken away, `tracing` is undefined and costs one comparison.
 */
import type { TelemetryOptions, TelemetrySettings, Tracing, TracingProgram } from "./tracing/trace.ts";

export interface Telemetry {
  /** Undefined while nothing is traced. */
  readonly tracing: Tracing | undefined;
  /** Takes effect for spans that start from when it resolves; those under way are exported by the newest settings. */
  configure(settings: TelemetrySettings): Promise<void>;
  /** Exports what has ended, then stops; what is left at the deadline is counted as dropped. */
  close(deadlineMs: number): Promise<void>;
}

export function createTelemetry(options: TelemetryOptions): Telemetry {
  let program: TracingProgram | undefined;
  let tracing: Tracing | undefined;
  /** One configuration after the other, the newest last. */
  let turn: Promise<void> = Promise.resolve();
  const apply = async (settings: TelemetrySettings): Promise<void> => {
    const wanted = settings.endpoint !== undefined || options.sink !== undefined;
    if (!wanted && program === undefined) return;
    program ??= (await import("./tracing/program.ts")).startTracing(options);
    program.configure(settings);
    tracing = wanted ? program.tracing : undefined;
  };
  return {
    get tracing() {
      return tracing;
    },
    configure(settings) {
      const done = turn.then(() => apply(settings));
      turn = done.catch(() => undefined);
      return done;
    },
    async close(deadlineMs) {
      await turn;
      tracing = undefined;
      await program?.close(deadlineMs);
    },
  };
}
