/**
 * What programs showed to a scrape, over time: kept as it came, for Prometheus' own tools. As promtool's input series the rules are
 * judged on it; as blocks a Prometheus has it as if it had scraped.
 */
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface InputSeries {
  readonly series: string;
  /** promtool's notation. */
  readonly values: string;
}

interface Series {
  readonly family: string;
  readonly name: string;
  readonly labels: string;
  /** By the number of the scrape. */
  readonly values: Map<number, string>;
}

/** One target. */
export class Samples {
  readonly #target: string;
  readonly #series = new Map<string, Series>();
  readonly #types = new Map<string, string>();
  /** By the number of the scrape: whether there was an answer. */
  readonly #ups: boolean[] = [];

  /** `labels` are what Prometheus adds to each series of the target. */
  constructor(labels: Readonly<Record<string, string>>) {
    this.#target = Object.entries(labels)
      .map(([name, value]) => `${name}="${value}"`)
      .join(",");
  }

  /** The page in OpenMetrics form; undefined when there was none. */
  add(page: string | undefined): void {
    const scrape = this.#ups.length;
    this.#ups.push(page !== undefined);
    this.#put({ family: "up", name: "up", labels: "", scrape, value: page === undefined ? "0" : "1" });
    this.#types.set("up", "gauge");
    let family = "";
    for (const line of (page ?? "").split("\n")) {
      const type = /^# TYPE (\S+) (\S+)/.exec(line);
      if (type !== null) {
        family = type[1] ?? "";
        this.#types.set(family, type[2] ?? "");
      }
      const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*?)\})? ([^\s#]+)(?: #.*)?$/.exec(line);
      if (sample === null) continue;
      const [, name = "", labels = "", value = ""] = sample;
      this.#put({ family, name, labels, scrape, value });
    }
  }

  /** Of these names alone. Times, which promtool counts from 0, are counted from `since`, seconds since the epoch. */
  input(names: ReadonlySet<string>, since: number): readonly InputSeries[] {
    const wanted = [...this.#series.values()].filter(({ name }) => names.has(name));
    return wanted.map(({ name, labels, values }) => {
      const isTime = name.endsWith("_timestamp_seconds");
      const shown = this.#ups.map((_, scrape) => {
        const value = values.get(scrape);
        // As Prometheus marks what an answer no longer has, and what had none.
        if (value === undefined) return values.has(scrape - 1) ? "stale" : "_";
        return isTime && Number(value) !== 0 ? String(Number(value) - since) : value;
      });
      return { series: `${name}{${this.#labelled(labels)}}`, values: shown.join(" ") };
    });
  }

  /** Families in OpenMetrics form, with the time of each sample in seconds. */
  families(timeOf: (scrape: number) => number): ReadonlyMap<string, { readonly type: string; readonly lines: string }> {
    const families = new Map<string, { readonly type: string; readonly lines: string }>();
    for (const [family, series] of Map.groupBy(this.#series.values(), (one) => one.family)) {
      const lines = series.flatMap(({ name, labels, values }) =>
        [...values].map(([scrape, value]) => `${name}{${this.#labelled(labels)}} ${value} ${timeOf(scrape)}`),
      );
      families.set(family, { type: this.#types.get(family) ?? "unknown", lines: lines.join("\n") });
    }
    return families;
  }

  #labelled(labels: string): string {
    return labels === "" ? this.#target : `${this.#target},${labels}`;
  }

  #put({ family, name, labels, scrape, value }: Omit<Series, "values"> & { scrape: number; value: string }): void {
    const key = `${name}{${labels}}`;
    const series = this.#series.get(key) ?? { family, name, labels, values: new Map<number, string>() };
    series.values.set(scrape, value);
    this.#series.set(key, series);
  }
}

/** Makes the blocks of a Prometheus' data directory. */
export async function writeBlocks(
  data: string,
  targets: readonly Samples[],
  timeOf: (scrape: number) => number,
): Promise<void> {
  const all = targets.flatMap((target) => [...target.families(timeOf)]);
  const text = [...Map.groupBy(all, ([family]) => family)].map(([family, parts]) => {
    const [first] = parts;
    return [`# TYPE ${family} ${first?.[1].type ?? "unknown"}`, ...parts.map(([, { lines }]) => lines)].join("\n");
  });
  mkdirSync(data, { recursive: true });
  const file = join(dirname(data), "samples.txt");
  writeFileSync(file, `${text.join("\n")}\n# EOF\n`);
  await run("promtool", ["tsdb", "create-blocks-from", "openmetrics", file, data]);
}
