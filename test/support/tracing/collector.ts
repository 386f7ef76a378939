/** The real OpenTelemetry collector as relays meet it, and the spans that it passes on. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { stringify } from "yaml";
import { freePort, untilListening } from "../ports.ts";
import { Program } from "../program.ts";
import { provideCollector } from "./program.ts";
import { SpanSink } from "./sink.ts";

export interface Collector {
  readonly endpoint: string;
  readonly sink: SpanSink;
  readonly program: Program;
}

/** `tls`: files of a certificate and its key; the endpoint is https then. */
export async function startCollector(
  t: TestContext,
  directory: string,
  tls?: { readonly certificateFile: string; readonly privateKeyFile: string },
): Promise<Collector> {
  const path = await provideCollector();
  const sink = await SpanSink.start();
  t.after(() => sink.stop());
  const port = await freePort();
  const http = {
    endpoint: `127.0.0.1:${port}`,
    ...(tls === undefined ? {} : { tls: { cert_file: tls.certificateFile, key_file: tls.privateKeyFile } }),
  };
  const passOn = { endpoint: sink.url, encoding: "json", compression: "none", sending_queue: { enabled: false } };
  const configuration = join(directory, "collector.yaml");
  writeFileSync(
    configuration,
    stringify({
      receivers: { otlp: { protocols: { http } } },
      exporters: { debug: { verbosity: "normal" }, otlp_http: passOn },
      service: {
        telemetry: { metrics: { level: "none" } },
        pipelines: { traces: { receivers: ["otlp"], exporters: ["debug", "otlp_http"] } },
      },
    }),
  );
  const program = new Program({
    command: [path, "--config", configuration],
    logFile: join(directory, "collector.log"),
  });
  t.after(() => program.kill("SIGTERM"));
  await untilListening(port);
  return { endpoint: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`, sink, program };
}
