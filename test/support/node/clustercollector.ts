/** The OpenTelemetry collector in the node's network, and the spans that it printed. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { Program } from "../program.ts";
import { provideCollector } from "../tracing/program.ts";
import type { Node } from "./node.ts";
import { addresses } from "./plan.ts";

export const collectorEndpoint = `http://${addresses.node}:4318`;

export interface PrintedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for a root. */
  readonly parentSpanId: string;
  /** Ids of the spans that its links lead to. */
  readonly links: readonly string[];
  readonly name: string;
  /** In the order of their names. */
  readonly attributes: Readonly<Record<string, string>>;
}

export class ClusterCollector {
  readonly #program: Program;

  private constructor(program: Program) {
    this.#program = program;
  }

  static async start(node: Node): Promise<ClusterCollector> {
    const configuration = join(node.plan.directory, "collector.yaml");
    writeFileSync(
      configuration,
      stringify({
        receivers: { otlp: { protocols: { http: { endpoint: `${addresses.node}:4318` } } } },
        exporters: { debug: { verbosity: "detailed" } },
        service: {
          telemetry: { metrics: { level: "none" } },
          pipelines: { traces: { receivers: ["otlp"], exporters: ["debug"] } },
        },
      }),
    );
    const command = [...node.wrapper(), await provideCollector(), "--config", configuration];
    const program = new Program({ command, logFile: join(node.paths.logs, "collector.txt") });
    await program.waitFor("a started collector", (line) => line.includes("Everything is ready"));
    return new ClusterCollector(program);
  }

  /** As the debug exporter prints them: `Trace ID : x`, `Name : y`, then attributes as `-> key: Str(value)`. */
  spans(): readonly PrintedSpan[] {
    const blocks = this.#program.lines
      .join("\n")
      .split(/^Span #\d+$/m)
      .slice(1);
    return blocks.map((block) => ({
      traceId: /^\s*Trace ID\s*: (\S+)/m.exec(block)?.[1] ?? "",
      spanId: /^\s*ID\s*: (\S+)/m.exec(block)?.[1] ?? "",
      parentSpanId: /^\s*Parent ID\s*: ([0-9a-f]+)/m.exec(block)?.[1] ?? "",
      links: [...block.matchAll(/^\s*-> ID: ([0-9a-f]+)$/gm)].map(([, id = ""]) => id),
      name: /^\s*Name\s*: (\S+)/m.exec(block)?.[1] ?? "",
      attributes: Object.fromEntries(
        [...block.matchAll(/^\s*-> (\S+): \w+\((.*)\)$/gm)].map(([, key = "", value = ""]) => [key, value]),
      ),
    }));
  }

  async stop(): Promise<void> {
    await this.#program.kill("SIGKILL");
  }
}
