/**
 * Tracing as the configuration says, from the first snapshot on. A configuration that cannot be followed costs traces,
 * never mail: the log says so, and the last good one goes on.
 */
import { hostname } from "node:os";
import type { Log } from "../../runtime/log.ts";
import { createTelemetry, type Telemetry } from "../../runtime/telemetry.ts";
import type { SettingNames, SpanCounts, TelemetrySettings } from "../../runtime/tracing/trace.ts";
import type { Snapshot, SnapshotSource } from "../config/snapshot.ts";

export interface TracingOptions {
  readonly snapshots: SnapshotSource;
  readonly log: Log;
  readonly counts: SpanCounts;
  /** Every sampled span is a line of the log as well. */
  readonly spanLines: boolean;
}

/** Resolves when the first configuration is in force. Never rejects. */
export async function openTracing({ snapshots, log, counts, spanLines }: TracingOptions): Promise<Telemetry> {
  // Whatever the log's level: who asked for the lines wants them.
  const lines = log.child({}, { level: "info" });
  const telemetry = createTelemetry({
    resource: resourceOf(snapshots.current()),
    log,
    counts,
    names: settingNames,
    ...(spanLines ? { sink: (line) => lines.info(line, "span") } : {}),
  });
  const configure = (snapshot: Snapshot): Promise<boolean> =>
    telemetry.configure(settingsOf(snapshot)).then(
      () => true,
      (error: unknown) => {
        log.error({ collector: collectorOf(snapshot), error: String(error) }, "tracing could not be set up");
        return false;
      },
    );
  let followed = textOf(snapshots.current());
  snapshots.onChange((snapshot) => {
    const text = textOf(snapshot);
    if (text === followed) return;
    followed = text;
    void configure(snapshot).then((isDone) => {
      if (isDone) log.info({ collector: collectorOf(snapshot) }, "tracing changed");
    });
  });
  await configure(snapshots.current());
  return telemetry;
}

const settingNames: SettingNames = {
  endpoint: "spec.tracing.endpoint",
  headers: "spec.tracing.headersRef",
  ca: "spec.tracing.caRef",
};

/** Spans of this relay say which one it is; those of all its pods share the name. */
function resourceOf({ relay }: Snapshot): Readonly<Record<string, string>> {
  const { namespace, name } = relay.relay;
  return {
    "service.name": "mailboat-relay",
    "service.namespace": namespace,
    "service.instance.id": hostname(),
    "mailboat.relay": `${namespace}/${name}`,
  };
}

function textOf({ relay }: Snapshot): string {
  return JSON.stringify(relay.tracing ?? null);
}

/** Without path and query, which may hold a token. */
function collectorOf({ relay }: Snapshot): string {
  const endpoint = relay.tracing?.endpoint;
  return endpoint === undefined ? "none" : (URL.parse(endpoint)?.origin ?? "no URL");
}

/** Without an endpoint only the lines are left, and those are for a person who wants to see every message. */
function settingsOf({ relay }: Snapshot): TelemetrySettings {
  const { tracing } = relay;
  if (tracing === undefined) return { samplingRatio: 1, headers: {} };
  const { endpoint, samplingRatio, headers, ca } = tracing;
  return {
    samplingRatio,
    headers,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(ca === undefined ? {} : { ca }),
  };
}
