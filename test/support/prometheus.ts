/** A real Prometheus over the programs of a test: scrapes every half second, keeps exemplars, answers PromQL. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { z } from "zod";
import { freePort } from "./ports.ts";
import { Program } from "./program.ts";
import { until } from "./until.ts";

export interface ScrapeTarget {
  readonly job: string;
  readonly port: number;
  /** What a PodMonitor adds in a cluster: namespace, instance and the pod's labels. */
  readonly labels: Readonly<Record<string, string>>;
}

const sample = z.object({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) });
const vectorAnswer = z.object({
  status: z.literal("success"),
  data: z.discriminatedUnion("resultType", [
    z.object({ resultType: z.literal("vector"), result: z.array(sample) }),
    z.object({ resultType: z.literal("scalar"), result: z.tuple([z.number(), z.string()]) }),
  ]),
});
const exemplarAnswer = z.object({
  status: z.literal("success"),
  data: z.array(
    z.object({
      seriesLabels: z.record(z.string(), z.string()),
      exemplars: z.array(z.object({ labels: z.record(z.string(), z.string()), value: z.string() })),
    }),
  ),
});
const targetsAnswer = z.object({
  data: z.object({ activeTargets: z.array(z.object({ health: z.string(), lastError: z.string() })) }),
});
const rulesAnswer = z.object({
  data: z.object({
    groups: z.array(z.object({ rules: z.array(z.object({ name: z.string(), health: z.string(), type: z.string() })) })),
  }),
});

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export class Prometheus {
  readonly #program: Program;
  readonly #url: string;

  private constructor(program: Program, port: number) {
    this.#program = program;
    this.#url = `http://127.0.0.1:${port}/api/v1`;
  }

  /** Resolves when every target has been scraped once; rejects with the scrape's error when one cannot be. */
  static async start(
    directory: string,
    targets: readonly ScrapeTarget[],
    rules: readonly string[] = [],
  ): Promise<Prometheus> {
    mkdirSync(directory, { recursive: true });
    const configuration = join(directory, "prometheus.yaml");
    writeFileSync(
      configuration,
      stringify({
        global: { scrape_interval: "500ms", scrape_timeout: "500ms", evaluation_interval: "1s" },
        rule_files: rules,
        scrape_configs: targets.map(({ job, port, labels }, index) => ({
          job_name: `${job}-${index}`,
          static_configs: [{ targets: [`127.0.0.1:${port}`], labels: { ...labels, job } }],
        })),
      }),
    );
    const port = await freePort();
    const program = new Program({
      command: [
        "prometheus",
        `--config.file=${configuration}`,
        `--storage.tsdb.path=${join(directory, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
        "--enable-feature=exemplar-storage",
        "--log.format=json",
      ],
      logFile: join(directory, "prometheus.log"),
    });
    const prometheus = new Prometheus(program, port);
    await until("a scrape of every target", () => prometheus.#allUp(targets.length));
    return prometheus;
  }

  /** Without a path. */
  get address(): string {
    return new URL(this.#url).origin;
  }

  /** An instant query. A scalar is one sample without labels. */
  async query(expr: string): Promise<readonly Sample[]> {
    const { data } = vectorAnswer.parse(await this.#ask("query", { query: expr }));
    if (data.resultType === "scalar") return [{ labels: {}, value: Number(data.result[1]) }];
    return data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }

  /** Trace ids of the exemplars stored for a metric. */
  async exemplarTraces(metric: string): Promise<readonly string[]> {
    const end = Date.now() / 1000;
    const query = { query: metric, start: String(end - 3600), end: String(end + 60) };
    const { data } = exemplarAnswer.parse(await this.#ask("query_exemplars", query));
    return data.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels["trace_id"] ?? ""));
  }

  /** Names of the rules that could not be evaluated. */
  async unhealthyRules(): Promise<readonly string[]> {
    const { data } = rulesAnswer.parse(await this.#ask("rules", {}));
    const rules = data.groups.flatMap((group) => group.rules);
    return rules.filter(({ health }) => health !== "ok").map(({ name, health }) => `${name}: ${health}`);
  }

  async stop(): Promise<void> {
    await this.#program.kill("SIGKILL");
  }

  async #allUp(count: number): Promise<boolean> {
    const answer = await this.#ask("targets", {}).catch(() => undefined);
    if (answer === undefined) return false;
    const { activeTargets } = targetsAnswer.parse(answer).data;
    const broken = activeTargets.find(({ health }) => health === "down");
    if (broken !== undefined) throw new Error(`Prometheus cannot scrape: ${broken.lastError}`);
    return activeTargets.length === count && activeTargets.every(({ health }) => health === "up");
  }

  async #ask(path: string, query: Readonly<Record<string, string>>): Promise<unknown> {
    const response = await fetch(`${this.#url}/${path}?${new URLSearchParams(query).toString()}`);
    const body: unknown = await response.json();
    if (!response.ok) throw new Error(`Prometheus: ${JSON.stringify(body)}`);
    return body;
  }
}
