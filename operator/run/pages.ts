/** What the operator serves over HTTP: probes and metrics. */
import { type HealthServer, openHealth, type Page } from "../../runtime/health.ts";
import type { Log } from "../../runtime/log.ts";
import type { OperatorMetrics } from "./metrics.ts";

export interface PageSettings {
  readonly host: string;
  readonly port: number;
  readonly log: Log;
  readonly metrics: OperatorMetrics;
  /** Why it is not ready; undefined when it is. */
  readonly hindrance: () => string | undefined;
}

/** A standby is ready as well: it could lead at any moment. */
export async function openPages({ host, port, log, metrics, hindrance }: PageSettings): Promise<HealthServer> {
  return openHealth({
    host,
    port,
    log,
    pages: {
      "/healthz": () => Promise.resolve(text(200, "alive")),
      "/readyz": () => {
        const why = hindrance();
        return Promise.resolve(why === undefined ? text(200, "ready") : text(503, why));
      },
      "/metrics": async () => ({ status: 200, contentType: metrics.contentType, body: await metrics.render() }),
    },
  });
}

function text(status: number, body: string): Page {
  return { status, contentType: "text/plain", body: `${body}\n` };
}
