/** Asks a Prometheus at an address, as Grafana does: at a time, and over a range of it. */
import { z } from "zod";

const labels = z.record(z.string(), z.string());
const point = z.tuple([z.number(), z.string()]);
const answerOf = <T extends z.ZodType>(data: T): z.ZodObject<{ status: z.ZodLiteral<"success">; data: T }> =>
  z.object({ status: z.literal("success"), data });
const vector = answerOf(
  z.discriminatedUnion("resultType", [
    z.object({ resultType: z.literal("vector"), result: z.array(z.object({ metric: labels, value: point })) }),
    z.object({ resultType: z.literal("scalar"), result: point }),
  ]),
);
const matrix = answerOf(
  z.object({
    resultType: z.literal("matrix"),
    result: z.array(z.object({ metric: labels, values: z.array(point) })),
  }),
);

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Line {
  readonly labels: Readonly<Record<string, string>>;
  /** Seconds since the epoch, and the value. */
  readonly points: readonly (readonly [at: number, value: number])[];
}

export interface Range {
  /** Seconds since the epoch. */
  readonly from: number;
  readonly until: number;
  readonly stepSeconds: number;
}

export class PrometheusReader {
  readonly #address: string;

  /** `address` without a path, such as `http://127.0.0.1:9090`. */
  constructor(address: string) {
    this.#address = address;
  }

  async at(expr: string, time: number): Promise<readonly Sample[]> {
    const { data } = vector.parse(await this.#ask("query", { query: expr, time: String(time) }));
    if (data.resultType === "scalar") return [{ labels: {}, value: Number(data.result[1]) }];
    return data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }

  async over(expr: string, { from, until, stepSeconds }: Range): Promise<readonly Line[]> {
    const query = { query: expr, start: String(from), end: String(until), step: String(stepSeconds) };
    const { data } = matrix.parse(await this.#ask("query_range", query));
    return data.result.map(({ metric, values }) => ({
      labels: metric,
      points: values.map(([at, value]) => [at, Number(value)] as const),
    }));
  }

  async #ask(path: string, query: Readonly<Record<string, string>>): Promise<unknown> {
    const response = await fetch(`${this.#address}/api/v1/${path}`, {
      method: "POST",
      body: new URLSearchParams(query),
    });
    const body: unknown = await response.json();
    if (!response.ok) throw new Error(`${query["query"]}: ${JSON.stringify(body)}`);
    return body;
  }
}
